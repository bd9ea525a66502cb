// Package health says of a machine what will hurt a service soon: a disk that gets full, a clock
// that jumped, a certificate that expires. It only looks; telling people is the caller's.
package health

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// Limits, and why they are where they are.
const (
	// diskLeast is what must be free where ledger and logs are: a year of a large lab's journal, so
	// that there are weeks to act in. Once told of, a disk must be clearly better to be well again.
	diskLeast = 500 << 20
	diskWell  = 600 << 20
	// jump is how far the clock may move against the machine's own count of time between two looks:
	// network time corrects by less, and a lab's stamps are compared in minutes.
	jump = time.Minute
	// ownCertificate is how long before its end a certificate is told of that somebody of the lab or
	// its company renews by hand, and othersCertificate one that is renewed by a machine, a month before.
	ownCertificate    = 30 * 24 * time.Hour
	othersCertificate = 7 * 24 * time.Hour
)

// Disk watches the volume of one folder.
type Disk struct {
	Folder string
	// Free returns the bytes that are free for this account; nil asks the system.
	Free func(folder string) (uint64, error)

	low bool
}

// Look returns what is to be said of the volume, "" if nothing.
func (d *Disk) Look() string {
	free := d.Free
	if free == nil {
		free = available
	}
	n, err := free(d.Folder)
	if err != nil {
		return "" // a folder that is not there yet; what fails there says so itself
	}
	d.low = n < diskLeast || d.low && n < diskWell
	if !d.low {
		return ""
	}
	return fmt.Sprintf("the disk of %s is nearly full: %d MB are free; below some, nothing can be recorded and so nothing is sent", d.Folder, n/(1<<20))
}

// Clock watches the clock on the wall against the machine's own count of time.
type Clock struct {
	// Now returns the clock on the wall and the time that passed by the machine's count since any
	// fixed instant; nil asks the system.
	Now func() (wall time.Time, passed time.Duration)

	begin  time.Time
	wall   time.Time
	passed time.Duration
}

// Look returns by how much the clock jumped since the last look, 0 where it did not. A machine that
// slept looks the same on some systems.
func (c *Clock) Look() time.Duration {
	wall, passed := c.now()
	was, before := c.wall, c.passed
	c.wall, c.passed = wall, passed
	if was.IsZero() {
		return 0
	}
	off := wall.Sub(was) - (passed - before)
	if off.Abs() < jump {
		return 0
	}
	return off.Round(time.Second)
}

func (c *Clock) now() (time.Time, time.Duration) {
	if c.Now != nil {
		return c.Now()
	}
	now := time.Now()
	if c.begin.IsZero() {
		c.begin = now
	}
	return now.Round(0), now.Sub(c.begin) // by the monotonic reading
}

// Expiring says of the certificates that somebody showed which of them ends soon, "" if none. In a
// chain, the first is the server's own; own says that the lab's people renew it by hand.
func Expiring(chain []*x509.Certificate, own bool, now time.Time) string {
	for i, c := range chain {
		notice := ownCertificate
		if i == 0 && !own {
			notice = othersCertificate
		}
		left := c.NotAfter.Sub(now)
		if left > notice {
			continue
		}
		name := c.Subject.CommonName
		if name == "" && len(c.DNSNames) > 0 {
			name = c.DNSNames[0]
		}
		if left <= 0 {
			return fmt.Sprintf("the certificate of %s expired on %s", name, c.NotAfter.Format(time.DateOnly))
		}
		return fmt.Sprintf("the certificate of %s (issued by %s) expires on %s, in %d days", name, c.Issuer.CommonName, c.NotAfter.Format(time.DateOnly), int(left/(24*time.Hour)))
	}
	return ""
}

// Certificates reads the certificates of a PEM file.
func Certificates(path string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return out, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New(path + " holds no certificate")
	}
	return out, nil
}
