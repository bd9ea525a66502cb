package lims

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	mssql "github.com/microsoft/go-mssqldb"
)

// entra gets tokens of Microsoft Entra ID: by an application's secret or certificate, or as the identity
// that Azure gave this machine.
type entra struct {
	o         Options
	secret    string
	transport policy.Transporter // nil: the library's own, which heeds HTTPS_PROXY
}

// managed says that nothing is written by which an application could prove itself.
func (o Options) managed() bool { return o.Password == nil && o.ClientCert == "" }

// checkEntra returns what can be seen to be wrong before anybody is asked.
func (o Options) checkEntra() (wrong []string) {
	if o.encryption() == EncryptOff {
		wrong = append(wrong, "login: entra sends a token that lets in whoever has it: leave encrypt out, or write encrypt: verified")
	}
	if !o.managed() && o.User == "" {
		wrong = append(wrong, "user is missing: login: entra needs the application's id, and better its tenant: ID@TENANT")
	}
	if o.ClientCert != "" {
		if _, err := os.ReadFile(o.ClientCert); err != nil {
			wrong = append(wrong, fmt.Sprintf("client_certificate %s cannot be read: check its name and that the service's account may read it", o.ClientCert))
		}
	}
	return wrong
}

// workflow is what the login packet says of how the token is got.
func (e entra) workflow() byte {
	if e.o.managed() {
		return mssql.FedAuthADALWorkflowMSI
	}
	return mssql.FedAuthADALWorkflowPassword
}

// authorities are Microsoft's own: a secret goes to no other, whatever a server names.
var authorities = map[string]cloud.Configuration{
	"login.microsoftonline.com": cloud.AzurePublic, "login.windows.net": cloud.AzurePublic, "login.microsoft.com": cloud.AzurePublic,
	"login.microsoftonline.us":         cloud.AzureGovernment,
	"login.chinacloudapi.cn":           cloud.AzureChina,
	"login.partner.microsoftonline.cn": cloud.AzureChina,
}

// token gets a token for the server's resource, from the authority that the server names.
func (e entra) token(ctx context.Context, resource, authority string) (string, error) {
	u, err := url.Parse(authority)
	if err != nil {
		return "", errForeignAuthority
	}
	own, ok := authorities[u.Host]
	if !ok || u.Scheme != "https" {
		return "", errForeignAuthority
	}
	id, tenant, _ := strings.Cut(e.o.User, "@")
	if tenant == "" {
		tenant = strings.Trim(u.Path, "/")
	}
	if !strings.HasSuffix(resource, "/.default") {
		resource += "/.default"
	}
	cred, err := e.credential(id, tenant, azcore.ClientOptions{Cloud: own, Transport: e.transport})
	if err != nil {
		return "", err
	}
	t, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{resource}})
	return t.Token, err
}

// errForeignAuthority says that a server asked for a secret to be sent elsewhere.
var errForeignAuthority = errors.New("no authority of Microsoft's")

func (e entra) credential(id, tenant string, c azcore.ClientOptions) (azcore.TokenCredential, error) {
	switch {
	case e.o.managed():
		o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: c}
		if id != "" {
			o.ID = azidentity.ClientID(id)
		}
		return azidentity.NewManagedIdentityCredential(o)
	case e.o.ClientCert != "":
		certificates, key, err := readKey(e.o.ClientCert, e.secret)
		if err != nil {
			return nil, err
		}
		return azidentity.NewClientCertificateCredential(tenant, id, certificates, key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: c, SendCertificateChain: true})
	}
	return azidentity.NewClientSecretCredential(tenant, id, e.secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: c})
}

// readKey reads a certificate with its key, PEM or PKCS#12. The library's errors are not shown: they are
// about a file with a key.
func readKey(path, password string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		var certificates []*x509.Certificate
		var key crypto.PrivateKey
		if certificates, key, err = azidentity.ParseCertificates(b, []byte(password)); err == nil {
			return certificates, key, nil
		}
	}
	return nil, nil, misfit("", "client_certificate %s does not hold a certificate with its private key (PEM, or PKCS#12 whose password is password)", path)
}

// entraCode finds Entra's number of an error; its text may name accounts.
var entraCode = regexp.MustCompile(`AADSTS\d+`)

// explainEntra tells what an error of Entra means, nil where it is none.
func explainEntra(err error) error {
	if errors.Is(err, errForeignAuthority) {
		return misfit("", "the server names an authority for logins that is not Microsoft's: nothing was sent there; check server, and whether it is the one that is meant")
	}
	if strings.Contains(err.Error(), "federated authentication is not supported by the server") { // the driver has no type for it
		return misfit("", "the server does not know login: entra (Azure SQL, or SQL Server 2022 with Azure Arc do): write windows, kerberos or sql")
	}
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) {
		if strings.Contains(err.Error(), "ManagedIdentityCredential") || strings.Contains(err.Error(), "managed identity") {
			return misfit("", "this machine has no managed identity, or none of this id: have one assigned in Azure, or write user and password of an application")
		}
		return nil
	}
	switch code := entraCode.FindString(failed.Error()); code {
	case "AADSTS7000215":
		return misfit("", "Entra: the application's secret is wrong (%s): it is the secret's value that is wanted, not its id: limsbridge secret set", code)
	case "AADSTS7000222":
		return misfit("", "Entra: the application's secret has expired (%s): have a new one made: limsbridge secret set", code)
	case "AADSTS700016":
		return misfit("", "Entra: the tenant does not know the application (%s): check user: APPLICATION-ID@TENANT", code)
	case "AADSTS90002", "AADSTS900023":
		return misfit("", "Entra: there is no such tenant (%s): check user: APPLICATION-ID@TENANT", code)
	case "AADSTS700027", "AADSTS700024", "AADSTS5002738":
		return misfit("", "Entra: the certificate is not one of the application's, or the clocks differ (%s): upload client_certificate to the application, and check this machine's clock", code)
	case "AADSTS53003", "AADSTS530003", "AADSTS50079", "AADSTS50076":
		return misfit("", "Entra: a rule of the company shuts this machine out (%s): ask for an exception in Conditional Access", code)
	case "":
	default:
		return misfit("", "Entra refuses (%s): ask the directory's administrator what this number means", code)
	}
	if failed.RawResponse == nil {
		return &Unavailable{Reason: "Entra does not answer", Next: "allow this machine to reach login.microsoftonline.com (HTTPS); the environment's HTTPS_PROXY counts"}
	}
	return &Unavailable{Reason: fmt.Sprintf("Entra answers with HTTP status %d", failed.RawResponse.StatusCode)}
}
