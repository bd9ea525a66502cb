package installer

import (
	"slices"
	"strings"
	"testing"
)

func TestUnit(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Service
		has  []string
		not  []string
	}{
		{"of the packages", Service{}, []string{
			"\nType=notify\n", "\nExecStart=/usr/bin/limsbridge run\n", "\nExecReload=/usr/bin/limsbridge reload\n", "\nUser=limsbridge\n",
			"\nStateDirectory=limsbridge\n", "\nLogsDirectory=limsbridge\n", "\nRestart=always\n", "\nRestartSteps=8\n", "\nTimeoutStopSec=60s\n", "\nProtectHome=yes\n", "\nAfter=network.target\n",
		}, []string{"Requires=", "Wants=", "ReadWritePaths", "network-online"}},
		{"of an instance", Service{Instance: "west", Arguments: []string{"run", "--name", "west"}}, []string{
			"\nExecStart=/usr/bin/limsbridge run --name west\n", "\nExecReload=/usr/bin/limsbridge reload --name west\n", "\nStateDirectory=limsbridge/west\n",
			"\nLoadCredential=whoop-client-secret:limsbridge-west.whoop-client-secret\n", "\nLoadCredential=lims-password:limsbridge-west.lims-password\n",
		}, []string{"LoadCredential=lims-password\n"}}, // another lab's would win over its own
		{"of files elsewhere", Service{
			Program: "/opt/our lab/limsbridge", Arguments: []string{"run", "--config", "/home/lab/50%/limsbridge.yaml"}, Account: "lab",
			Reads: []string{"/home/lab/50%"}, Writes: []string{"/home/lab/50%/state", "/srv/logs of $lab", "/var/lib/limsbridge"},
		}, []string{
			"\nExecStart=\"/opt/our lab/limsbridge\" run --config /home/lab/50%%/limsbridge.yaml\n", "\nUser=lab\n", "\nReadWritePaths=-/home/lab/50%%/state\n", "\nReadWritePaths=-\"/srv/logs of $lab\"\n", "\nProtectHome=read-only\n",
		}, []string{"ReadWritePaths=-/var/lib"}},
	} {
		text, err := tt.s.Unit()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		for _, s := range tt.has {
			if !strings.Contains(text, s) {
				t.Errorf("%s: without %q", tt.name, s)
			}
		}
		for _, s := range tt.not {
			if strings.Contains(text, s) {
				t.Errorf("%s: with %q", tt.name, s)
			}
		}
		if t.Failed() {
			t.Log(text)
		}
	}
}

// What a unit is called with is read back as it was written.
func TestUnitKeepsItsConfiguration(t *testing.T) {
	for _, path := range []string{
		"", "/srv/west/limsbridge.yaml", "/srv/our lab/50%/$x/limsbridge.yaml", `/srv/a"b\c%%d$$e'f;g/limsbridge.yaml`, "/srv/ö ä/limsbridge.yaml",
	} {
		want := []string{"/opt/our lab/limsbridge", "run", "--name", "west"}
		if path != "" {
			want = append(want, "--config", path)
		}
		text, err := (Service{Program: want[0], Instance: "west", Arguments: want[1:]}).Unit()
		if got := execStart(text); err != nil || !slices.Equal(got, want) || configOf(got) != path {
			t.Errorf("%q is %q: %v", want, got, err)
		}
	}
	if got := configOf([]string{"run", "--config=/srv/x"}); got != "/srv/x" {
		t.Error(got)
	}
}

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{"": true, "west": true, "lab_2-b": true, "../west": false, "a b": false, "secrets": false, "Journal": false, "secrets2": true, "-x": false, strings.Repeat("a", 33): false} {
		if ValidInstance(name) != valid {
			t.Errorf("%q: %v", name, !valid)
		}
	}
	if a, b := (Service{}).Name(), (Service{Instance: "west"}).Name(); a != "limsbridge" || b != "limsbridge-west" {
		t.Error(a, b)
	}
}
