package lims

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"

	krbconfig "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	_ "github.com/microsoft/go-mssqldb/integratedauth/krb5" // registers the driver's authenticator of this name
)

// defaultKrb5Conf is where Kerberos's configuration is on Linux.
const defaultKrb5Conf = "/etc/krb5.conf"

func (o Options) krb5Conf() string {
	if o.Krb5Conf != "" {
		return o.Krb5Conf
	}
	return defaultKrb5Conf
}

// principal takes User apart. Without a realm it is the default one of krb5.conf.
func (o Options) principal() (name, realm string) {
	name, realm, _ = strings.Cut(o.User, "@")
	if realm == "" {
		if c, err := o.realms(); err == nil {
			realm = c.LibDefaults.DefaultRealm
		}
	}
	return name, realm
}

// realms reads krb5.conf.
func (o Options) realms() (*krbconfig.Config, error) {
	f, err := os.Open(o.krb5Conf())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return krbconfig.NewFromReader(f)
}

// checkKerberos returns what can be seen to be wrong before anybody is asked. A keytab is a password:
// nothing of it is shown but whose keys it holds.
func (o Options) checkKerberos() (wrong []string) {
	switch _, err := o.realms(); {
	case errors.Is(err, os.ErrNotExist):
		wrong = append(wrong, fmt.Sprintf("krb5_conf %s is not there: install krb5-user and have the domain set up, or write where it is", o.krb5Conf()))
	case err != nil:
		wrong = append(wrong, fmt.Sprintf("krb5_conf %s cannot be read: write a plain one with [libdefaults], default_realm and [realms]", o.krb5Conf()))
	default:
		if _, realm := o.principal(); realm == "" {
			wrong = append(wrong, "user has no realm: write limsbridge@EXAMPLE.ORG, or have default_realm in krb5.conf")
		}
	}
	if o.User == "" {
		wrong = append(wrong, "user is missing: login: kerberos needs the account's name in the directory, for example limsbridge@EXAMPLE.ORG")
	}
	if o.Keytab == "" {
		return append(wrong, "keytab is missing: login: kerberos needs the file with the account's keys (ktpass, or ktutil)")
	}
	info, err := os.Stat(o.Keytab)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return append(wrong, fmt.Sprintf("keytab %s is not there", o.Keytab))
	case err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0:
		return append(wrong, fmt.Sprintf("keytab %s can be read or written by everybody on this machine, and it is as good as the password: chmod 640, and chown it to the service's account or group", o.Keytab))
	}
	b, err := os.ReadFile(o.Keytab)
	if err != nil {
		return append(wrong, fmt.Sprintf("keytab %s cannot be read: give the service's account the right (chown, chmod 640)", o.Keytab))
	}
	whose, ok := keytabOwners(b)
	name, realm := o.principal()
	switch {
	case !ok:
		wrong = append(wrong, fmt.Sprintf("keytab %s is no keytab: have it made again with ktpass or ktutil, and copied as binary", o.Keytab))
	case o.User != "" && realm != "" && !slices.Contains(whose, name+"@"+realm):
		wrong = append(wrong, fmt.Sprintf("keytab %s holds the keys of %s, and none of %s@%s: capitals count", o.Keytab, strings.Join(whose, ", "), name, realm))
	}
	return wrong
}

// keytabOwners returns whose keys a keytab holds. The library's errors quote the keys, and some files
// make it panic: neither leaves here.
func keytabOwners(b []byte) (whose []string, ok bool) {
	defer func() {
		if recover() != nil {
			whose, ok = nil, false
		}
	}()
	var kt keytab.Keytab
	if err := kt.Unmarshal(b); err != nil {
		return nil, false
	}
	for _, e := range kt.Entries {
		if name := e.Principal.String(); !slices.Contains(whose, name) {
			whose = append(whose, name)
		}
	}
	return whose, len(whose) > 0
}

// kerberosCode finds the name that RFC 4120 (section 7.5.9) gives an error, which is all that the
// library leaves of its type.
var kerberosCode = regexp.MustCompile(`\b(KDC_ERR|KRB_AP_ERR|KRB_ERR)_[A-Z_]+[A-Z]`)

// explainKerberos tells what an error of Kerberos means, nil where it is none.
func explainKerberos(err error) error {
	text := err.Error()
	switch code := kerberosCode.FindString(text); code {
	case "KDC_ERR_C_PRINCIPAL_UNKNOWN":
		return misfit("", "Kerberos: the directory does not know the account (%s): check user, capitals count in the realm", code)
	case "KDC_ERR_S_PRINCIPAL_UNKNOWN":
		return misfit("", "Kerberos: the directory does not know the service (%s): the name that limsbridge check prints is not registered: ask for setspn -S on SQL Server's account, write server with its full name, or write spn", code)
	case "KDC_ERR_PREAUTH_FAILED", "KRB_AP_ERR_BAD_INTEGRITY", "KDC_ERR_CERTIFICATE_MISMATCH":
		return misfit("", "Kerberos: the keytab's key is not the account's (%s): the password was changed after the keytab was made: have a new one made", code)
	case "KRB_AP_ERR_SKEW", "KDC_ERR_NEVER_VALID", "KRB_AP_ERR_TKT_NYV":
		return &Unavailable{Reason: "Kerberos: the clocks of this machine and of the directory differ by more than five minutes (" + code + ")", Next: "set this machine's clock, by NTP from the domain controller"}
	case "KDC_ERR_CLIENT_REVOKED":
		return misfit("", "Kerberos: the account is locked or disabled (%s): ask the directory's administrator", code)
	case "KDC_ERR_KEY_EXPIRED", "KDC_ERR_NAME_EXP":
		return misfit("", "Kerberos: the account or its password has expired (%s): ask the directory's administrator for one that does not expire, and for a new keytab", code)
	case "KDC_ERR_ETYPE_NOSUPP":
		return misfit("", "Kerberos: account, keytab and directory have no encryption in common (%s): have the keytab made with AES256 (ktpass -crypto AES256-SHA1), and AES allowed for the account", code)
	case "":
	default:
		return misfit("", "Kerberos: the directory refuses (%s): ask its administrator", code)
	}
	switch {
	case strings.Contains(text, "matching key not found in keytab"):
		return misfit("", "Kerberos: the keytab holds no key of the kind that the directory asks for: have it made anew with all encryption types (ktpass -crypto ALL)")
	case strings.Contains(text, "no KDC SRV records"), strings.Contains(text, "no KDCs defined"):
		return misfit("", "Kerberos: no directory server (KDC) is known for the realm: write it into [realms] of krb5.conf, or check this machine's DNS")
	case strings.Contains(text, "communication error with KDC"), strings.Contains(text, "error sending to a KDC"):
		return &Unavailable{Reason: "Kerberos: the directory server (KDC) does not answer", Next: "check krb5.conf and the firewall (TCP port 88)"}
	}
	return nil
}
