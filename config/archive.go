package config

import (
	"strings"

	"filippo.io/age"
)

// Archive is the section archive:, the lab's choice to keep an encrypted copy of every report. It
// is off without recipients.
type Archive struct {
	Recipients []string // public keys of age, at least one (age-encryption.org/v1)
	Folder     string
}

// On reports whether copies are kept.
func (a Archive) On() bool { return len(a.Recipients) > 0 }

const (
	newKey     = "write the public key (age1…) that limsbridge archive key FILE prints"
	privateKey = "this is a private key: whoever reads this file could read the archive"
)

// recipients reads public keys. What is none is never shown: it may be the private key. Their
// checksum is verified here, because a copy for a mistyped key is lost.
func recipients(d *decoder, v value) {
	quantum := 0
	items := d.items(v.node, v.path, true)
	for _, item := range items {
		what := "this is not a public key of age"
		switch {
		case strings.HasPrefix(strings.ToUpper(item.text), "AGE-SECRET-KEY-"):
			what = privateKey
		case strings.Contains(item.text, "\n"):
		default:
			if _, err := age.ParseRecipients(strings.NewReader(item.text)); err == nil {
				what = ""
			}
		}
		if what != "" {
			d.hide(item.node)
			d.add(item, what, newKey)
			continue
		}
		if strings.HasPrefix(item.text, "age1pq1") {
			quantum++
		}
		d.c.Archive.Recipients = append(d.c.Archive.Recipients, item.text)
	}
	if quantum > 0 && quantum < len(d.c.Archive.Recipients) {
		d.hide(v.node)
		d.addAt(v.key, v.path, "age does not mix keys that begin with age1pq1 and others", "write keys of one kind")
	}
	if len(items) == 1 && len(d.c.Archive.Recipients) == 1 {
		d.warn(v, "holds one key: if its private key is lost, so is the archive; add a second one, kept elsewhere")
	}
}

// archive checks the section archive:.
func (d *decoder) archive() {
	if d.has("archive") {
		d.need("archive.recipients", "nobody could read this archive", newKey)
	}
}
