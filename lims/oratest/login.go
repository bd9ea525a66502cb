package oratest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Login is what a client told about itself. The password is not kept.
type Login struct {
	User    string
	Service string
	SID     string // where it stands instead of a service
	Program string
	Host    string // of the client, as it says
	Driver  string // the client's library
	TLS     uint16 // 0: plain
}

// The 12c verifier of a password, [thin] AuthMessage: its type, and how often PBKDF2 turns for the
// verifier (a client refuses fewer) and for the key that is agreed on.
const (
	verifier12c   = 18453
	verifierTurns = 4096
	keyTurns      = 3
)

// verifier is what a database keeps of a password.
type verifier struct {
	salt []byte
	hash []byte // AES key of both halves of the session key
}

func newVerifier(password string) (verifier, error) {
	v := verifier{salt: make([]byte, 16)}
	if _, err := rand.Read(v.salt); err != nil {
		return v, err
	}
	speedy, err := pbkdf2.Key(sha512.New, password, append(bytes.Clone(v.salt), "AUTH_PBKDF2_SPEEDY_KEY"...), verifierTurns, sha512.Size)
	sum := sha512.Sum512(append(speedy, v.salt...))
	v.hash = sum[:32]
	return v, err
}

// cbc encrypts or decrypts whole blocks with AES, from an initial vector of zeros.
func cbc(mode func(cipher.Block, []byte) cipher.BlockMode, key, b []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil || len(b) == 0 || len(b)%aes.BlockSize != 0 {
		return nil, errMessage
	}
	out := make([]byte, len(b))
	mode(block, make([]byte, aes.BlockSize)).CryptBlocks(out, b)
	return out, nil
}

// challenge is the server's half of a login's key.
type challenge struct {
	v    verifier
	key  []byte
	salt []byte
}

// begin answers the first message of a login, [thin] AUTH_PHASE_ONE: the user and what the verifier needs.
// Nobody learns from it whether the user exists.
func (c *session) begin() error {
	c.in.u8() // pointer
	c.in.num()
	c.in.num() // mode
	c.in.u8()  // pointer
	n := c.in.num()
	c.in.take(2) // pointers
	user := string(c.in.clr())
	c.in.pairs(n)
	if c.in.err != nil {
		return c.in.err
	}
	c.server.mu.Lock()
	c.login.User = user
	c.server.mu.Unlock()
	password := c.server.Reader.Password
	if !strings.EqualFold(user, c.server.Reader.User) {
		password = hex.EncodeToString(randomBytes(16))
	}
	var err error
	if c.challenge.v, err = c.server.verifier(user, password); err != nil {
		return err
	}
	c.challenge.key, c.challenge.salt = randomBytes(32), randomBytes(16)
	key, err := cbc(cipher.NewCBCEncrypter, c.challenge.v.hash, c.challenge.key)
	if err != nil {
		return err
	}
	o := &output{}
	o.bytes(msgParameter)
	o.num(5)
	o.pair("AUTH_SESSKEY", upperHex(key), 0)
	o.pair("AUTH_VFR_DATA", upperHex(c.challenge.v.salt), verifier12c)
	o.pair("AUTH_PBKDF2_CSK_SALT", upperHex(c.challenge.salt), 0)
	o.pair("AUTH_PBKDF2_VGEN_COUNT", strconv.Itoa(verifierTurns), 0)
	o.pair("AUTH_PBKDF2_SDER_COUNT", strconv.Itoa(keyTurns), 0)
	o.summary(summary{})
	return c.send(o)
}

// finish answers the second message of a login, [thin] AUTH_PHASE_TWO, in which the password comes encrypted
// with the key of both halves.
func (c *session) finish() error {
	c.in.u8() // pointer
	c.in.num()
	c.in.num() // mode
	c.in.u8()  // pointer
	n := c.in.num()
	c.in.take(2) // pointers
	c.in.clr()   // user
	told := c.in.pairs(n)
	if c.in.err != nil {
		return c.in.err
	}
	key, password, err := c.challenge.password(told["AUTH_SESSKEY"], told["AUTH_PASSWORD"])
	c.login.Host, c.login.Driver = told["AUTH_MACHINE"], told["SESSION_CLIENT_DRIVER_NAME"]
	c.server.tried(c.login)
	if !c.proceed(AtLogin) {
		return errEnd
	}
	if got := (Account{c.login.User, password}); err != nil || !strings.EqualFold(got.User, c.server.Reader.User) || got.Password != c.server.Reader.Password {
		return c.fail(Error{Code: 1017, Message: "invalid username/password; logon denied", Ends: true}, nil)
	}
	if err := c.alter(strings.TrimRight(told["AUTH_ALTER_SESSION"], "\x00")); err != nil {
		return err
	}
	clear(c.asked) // that is how the client's machine is set
	proof, err := cbc(cipher.NewCBCEncrypter, key, append(randomBytes(16), "SERVER_TO_CLIENT"...))
	if err != nil {
		return err
	}
	o := &output{}
	if f := c.server.fault(AtLogin, ""); f != nil { // else the client would not be here
		o.warning(f.Error)
	}
	o.bytes(msgParameter)
	o.num(8)
	o.pair("AUTH_SVR_RESPONSE", upperHex(proof), 0)
	o.pair("AUTH_VERSION_STRING", "- Production", 0)
	o.pair("AUTH_VERSION_NO", strconv.Itoa(versionNumber), 0)
	o.pair("AUTH_SESSION_ID", strconv.Itoa(c.number), 0)
	o.pair("AUTH_SERIAL_NUM", strconv.Itoa(c.number), 0)
	o.pair("AUTH_SC_SERVICE_NAME", c.login.Service, 0)
	o.pair("AUTH_SC_INSTANCE_NAME", "oratest", 0)
	o.pair("AUTH_SC_DBUNIQUE_NAME", "ORATEST", 0)
	o.summary(summary{})
	c.entered = true
	return c.send(o)
}

// password decrypts the client's half of the key, and with both halves the password.
func (h challenge) password(half, secret string) (key []byte, password string, err error) {
	client, err := decrypted(h.v.hash, half)
	if err != nil {
		return nil, "", err
	}
	both := upperHex(append(client, h.key...))
	if key, err = pbkdf2.Key(sha512.New, both, h.salt, keyTurns, 32); err != nil {
		return nil, "", err
	}
	b, err := decrypted(key, secret)
	if err != nil || len(b) < 2*aes.BlockSize {
		return nil, "", errMessage
	}
	// Before the password stand sixteen random bytes, and behind it the padding, each byte of which is its length.
	if pad := int(b[len(b)-1]); pad >= 1 && pad <= aes.BlockSize {
		return key, string(b[aes.BlockSize : len(b)-pad]), nil
	}
	return key, "", errMessage // the key is another: so was the password
}

func decrypted(key []byte, text string) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, errMessage
	}
	return cbc(cipher.NewCBCDecrypter, key, b)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func upperHex(b []byte) string { return fmt.Sprintf("%X", b) }

// version tells the banner, as the driver asks for it.
func (c *session) version() error {
	c.in.u8()  // pointer
	c.in.num() // room for the text
	c.in.take(2)
	c.in.num()
	if c.in.err != nil {
		return c.in.err
	}
	o := &output{}
	o.bytes(msgParameter)
	o.dlc([]byte(banner))
	o.num(versionNumber)
	o.status()
	return c.send(o)
}

const (
	banner        = "Oracle Database 19c Enterprise Edition Release 19.0.0.0.0 - Production"
	versionNumber = 19<<24 | 3<<16
)
