# What wixl cannot say: one statement a line, for msibuild -q.
# The old version goes first, within the transaction, so that a failure brings it back.
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('RemoveExistingProducts', '', 1501)
# An administrator may set these for an installation that runs with more rights than his own.
UPDATE `Property` SET `Value` = 'ACCOUNT;NEWER;OLDER;START' WHERE `Property` = 'SecureCustomProperties'
# The program in the machine's PATH.
CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, `Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)
INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) VALUES ('Path', '=-*PATH', '[~];[INSTALLDIR]', 'Program')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('RemoveEnvironmentStrings', '', 3300)
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('WriteEnvironmentStrings', '', 5200)
# wixl 0.101 takes Execute="rollback" for "at once". These run when the installation is undone, and then only:
# a program of the package (18), whatever it returns (64), in the script (1024) of what is undone (256), as the system (2048).
UPDATE `CustomAction` SET `Type` = 3410 WHERE `Action` = 'UndoService'
UPDATE `CustomAction` SET `Type` = 3410 WHERE `Action` = 'ResumeService'
