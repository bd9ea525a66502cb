# Installs the MSI on a real Windows and looks at what Wine does not show: the service's settings,
# its account's rights, that it comes back when it is killed, the event source.
#
#   service-test.ps1 OLD.msi NEW.msi    as an administrator
param([Parameter(Mandatory)][string]$Old, [Parameter(Mandatory)][string]$New)
$ErrorActionPreference = 'Stop'
$folder = Join-Path $env:ProgramData 'limsbridge'
$program = Join-Path $env:ProgramFiles 'limsbridge\limsbridge.exe'

function Fail($what) { throw "service-test: FAILED: $what" }
function Msi($verb, $file, $more = @()) {
    $p = Start-Process msiexec -Wait -PassThru -ArgumentList (@($verb, "`"$(Resolve-Path $file)`"", '/qn', '/l*v', 'msi.log') + $more)
    if ($p.ExitCode -ne 0) { Get-Content msi.log -Tail 60; Fail "msiexec $verb $file ended with $($p.ExitCode)" }
}
function Until($what, $seconds, [scriptblock]$true) {
    $end = (Get-Date).AddSeconds($seconds)
    while (-not (& $true)) {
        if ((Get-Date) -gt $end) { Fail "$what did not happen" }
        Start-Sleep -Milliseconds 500
    }
}
function Running { (Get-Service limsbridge).Status -eq 'Running' }
function ServiceProcess { (Get-CimInstance Win32_Service -Filter "Name='limsbridge'").ProcessId }

Msi /i $Old
Until 'the start' 60 { Running }

$settings = sc.exe qc limsbridge | Out-String
if ($settings -notmatch 'DELAYED') { Fail "no delayed start: $settings" }
if ($settings -notmatch [regex]::Escape('NT SERVICE\limsbridge')) { Fail "another account: $settings" }
$failure = sc.exe qfailure limsbridge | Out-String
if ([regex]::Matches($failure, 'RESTART -- Delay = (10000|60000|300000)').Count -ne 3) { Fail "recovery: $failure" }

# A call that is under way at a shutdown has the time that a stop has.
$shutdown = (Get-ItemProperty HKLM:\SYSTEM\CurrentControlSet\Services\limsbridge).PreshutdownTimeout
if ($shutdown -ne 60000) { Fail "time to end in at a shutdown: $shutdown" }

# SYSTEM, Administrators and the service; nobody else, and nothing inherited.
$acl = Get-Acl $folder
if (-not $acl.AreAccessRulesProtected) { Fail 'the folder inherits rights' }
$who = $acl.Access.IdentityReference.Value | Sort-Object -Unique
$allowed = 'BUILTIN\Administrators', 'NT AUTHORITY\SYSTEM', 'NT SERVICE\limsbridge'
if (Compare-Object $who $allowed) { icacls $folder; Fail "rights of $folder`: $who" }
# Its owner could give himself rights again.
foreach ($f in $folder, (Join-Path $folder 'state'), (Join-Path $folder 'log')) {
    if ((Get-Acl $f).Owner -ne 'BUILTIN\Administrators') { Fail "$f belongs to $((Get-Acl $f).Owner)" }
}

# Killed, it comes back by itself.
& $program init --lims generic --db sqlite
$before = ServiceProcess
Stop-Process -Id $before -Force
Until 'the restart' 60 { (Running) -and (ServiceProcess) -ne $before -and (ServiceProcess) -ne 0 }

if (-not (Test-Path HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\limsbridge)) { Fail 'no event source' }

# The command line reaches the service through its socket, and checks with the service's rights.
Until 'an answer on the socket' 30 { (& $program status 2>&1 | Out-String) -match 'running, NOT READY' }
$said = & $program check 2>&1 | Out-String
if ($said -notmatch 'inside the service, as .*limsbridge') { Fail "check: $said" }
'of this test alone' | & $program secret set whoop-client-secret
$said = & $program secret list 2>&1 | Out-String
if ($said -notmatch 'whoop-client-secret' -or $said -match 'of this test alone') { Fail "secret list: $said" }

# A stored secret that others can read is refused, with the commands that mend it.
$secret = Join-Path $folder 'state\secrets\whoop-client-secret'
icacls $secret /grant '*S-1-5-32-545:R' | Out-Null
$said = & $program secret list 2>&1 | Out-String
if ($said -notmatch 'others can read .*whoop-client-secret \(BUILTIN\\Users\)') { Fail "secret list: $said" }
$told = & $program check 2>&1 | Out-String
foreach ($c in [regex]::Matches($told, 'icacls "[^"]*whoop-client-secret" .*').Value) { cmd /c $c.Trim(); if ($LASTEXITCODE -ne 0) { Fail $c } }
$said = & $program secret list 2>&1 | Out-String
if ($said -match 'others can read') { Fail "secret list after the cure: $said" }
$who = (Get-Acl $secret).Access.IdentityReference.Value | Sort-Object -Unique
if (Compare-Object $who $allowed) { icacls $secret; Fail "rights of $secret`: $who" }

Stop-Service limsbridge
& $program ledger verify
if ($LASTEXITCODE -ne 0) { Fail 'the ledger' }
Start-Service limsbridge

# An upgrade that fails leaves the older version, and the service as it was.
function UpgradeFails {
    $p = Start-Process msiexec -Wait -PassThru -ArgumentList '/i', "`"$(Resolve-Path $New)`"", '/qn', '/l*v', 'failed.log', 'ACCOUNT=nonsense'
    if ($p.ExitCode -ne 1603) { Get-Content failed.log -Tail 60; Fail "an upgrade with an account that cannot be ended with $($p.ExitCode)" }
    if ((& $program version) -ne $version) { Fail "an upgrade that failed left $(& $program version)" }
}
$version = & $program version
UpgradeFails
Until 'the start after an upgrade that failed' 60 { Running }
Stop-Service limsbridge
UpgradeFails
if (Running) { Fail 'an upgrade that failed started what was stopped' }
Start-Service limsbridge

$yaml = Get-FileHash (Join-Path $folder 'limsbridge.yaml')
Msi /i $New
Until 'the start after the upgrade' 60 { Running }
if ((& $program version) -eq $version) { Fail "still $version" }
if ((sc.exe qc limsbridge | Out-String) -notmatch 'DELAYED') { Fail 'no delayed start after the upgrade' }

Msi /x $New
if (Get-Service limsbridge -ErrorAction SilentlyContinue) { Fail 'the service is left' }
if (Test-Path $program) { Fail 'the program is left' }
if ((Get-FileHash (Join-Path $folder 'limsbridge.yaml')).Hash -ne $yaml.Hash) { Fail 'the configuration changed' }
if (-not (Test-Path (Join-Path $folder 'state\journal'))) { Fail 'the ledger is gone' }
'the service on Windows: installed, restarted after a kill, upgraded, uninstalled; the ledger stays'
