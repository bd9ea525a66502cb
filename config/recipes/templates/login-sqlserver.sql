-- The login. limsbridge check prints the exact name of the account to grant; a service's virtual
-- account reaches another machine as DOMAIN\MACHINE$.                     CHECK: the name
IF SUSER_ID('DOMAIN\MACHINE$') IS NULL CREATE LOGIN [DOMAIN\MACHINE$] FROM WINDOWS;
IF DATABASE_PRINCIPAL_ID('limsbridge_ro') IS NULL CREATE USER limsbridge_ro FOR LOGIN [DOMAIN\MACHINE$];
-- With login: sql, where Windows logins are not wanted, these two instead (write the password here, and do not keep this file):
--   IF SUSER_ID('limsbridge_ro') IS NULL CREATE LOGIN limsbridge_ro WITH PASSWORD = '...', CHECK_POLICY = ON;
--   IF DATABASE_PRINCIPAL_ID('limsbridge_ro') IS NULL CREATE USER limsbridge_ro FOR LOGIN limsbridge_ro;
GO
-- The schema alone. The views read the LIMS's tables through their common owner, dbo.
GRANT SELECT ON SCHEMA::whoop TO limsbridge_ro;
GO
