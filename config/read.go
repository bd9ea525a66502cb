package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	neturl "net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// shown is a value as a message repeats it: short, and nothing that may hold a secret.
func shown(s string) string {
	if smells.MatchString(s) || strings.ContainsAny(s, "@;") || strings.Contains(s, "\n") {
		return "this"
	}
	if utf8.RuneCountInString(s) > 60 {
		s = string([]rune(s)[:59]) + "…"
	}
	return strconv.Quote(s)
}

// line reads a text as it is.
func line(dst *string) read {
	return func(_ *decoder, v value) { *dst = v.text }
}

// word reads one of a few words.
func word[W ~string](dst *W, allowed ...string) read {
	return func(d *decoder, v value) {
		if slices.Contains(allowed, v.text) {
			*dst = W(v.text)
			return
		}
		d.add(v, shown(v.text)+" is not one of the words allowed here", suggestion(v.text, allowed))
	}
}

// suggestion is what to write instead of a word.
func suggestion(text string, allowed []string) string {
	list := "one of: " + folded(allowed, 84)
	if slices.Contains(allowed, "off") && slices.Contains([]string{"no", "false", "none"}, strings.ToLower(text)) {
		return "did you mean off? " + list
	}
	if guess := nearest(text, allowed); guess != "" {
		return "did you mean " + guess + "? " + list
	}
	return list
}

// boolean reads true or false.
func boolean(dst *bool) read {
	return func(d *decoder, v value) {
		switch strings.ToLower(v.text) {
		case "true":
			*dst = true
		case "false":
			*dst = false
		case "yes", "on", "y", "1":
			d.add(v, shown(v.text)+" is not true or false", "write true")
		case "no", "off", "n", "0":
			d.add(v, shown(v.text)+" is not true or false", "write false")
		default:
			d.add(v, shown(v.text)+" is not true or false", "write true or false")
		}
	}
}

// thousands are numbers with marks between groups of three digits, as people write them.
var thousands = regexp.MustCompile(`^[0-9]{1,3}(?:[,._' ][0-9]{3})+$`)

// count reads a whole number.
func count(dst *int, least, most int) read {
	return func(d *decoder, v value) {
		n, err := strconv.Atoi(v.text)
		switch {
		case err != nil:
			instead := fmt.Sprintf("write digits only, %d to %d", least, most)
			if thousands.MatchString(v.text) {
				instead = "write digits only: " + strings.NewReplacer(",", "", ".", "", "_", "", "'", "", " ", "").Replace(v.text)
			}
			d.add(v, shown(v.text)+" is not a whole number", instead)
		case n < least || n > most:
			d.add(v, fmt.Sprintf("%d is out of range", n), fmt.Sprintf("write %d to %d", least, most))
		default:
			*dst = n
		}
	}
}

// percent reads a number from 0 to 100.
func percent(dst *float64) read {
	return func(d *decoder, v value) {
		n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(v.text, "%")), 64)
		if err != nil || !(n >= 0 && n <= 100) {
			d.add(v, shown(v.text)+" is not a percentage", "write a number from 0 to 100, without the sign: 5")
			return
		}
		*dst = n
	}
}

var (
	spanForm = regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]+)?\s*[a-z]+\s*)+$`)
	spanPart = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)`)
)

var units = map[string]time.Duration{
	"ms": time.Millisecond,
	"s":  time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": day, "day": day, "days": day,
	"w": week, "week": week, "weeks": week,
}

// duration reads a span of time: 90s, 10m, 1h30m, 30d, 30 days. A bare number is refused, since
// nobody can tell whether seconds or minutes were meant.
func duration(dst *time.Duration, least, most time.Duration) read {
	return func(d *decoder, v value) {
		n, ok := parseSpan(v.text)
		switch {
		case !ok:
			instead := "write for example 90s, 10m, 2h or 30 days"
			if _, err := strconv.Atoi(v.text); err == nil {
				instead = fmt.Sprintf("write %ss, %[1]sm, %[1]sh or %[1]s days", v.text)
			}
			d.add(v, shown(v.text)+" is not a duration", instead)
		case n < least:
			d.add(v, shown(v.text)+" is too short", fmt.Sprintf("write %s to %s", Span(least), Span(most)))
		case n > most:
			d.add(v, shown(v.text)+" is too long", fmt.Sprintf("write %s to %s", Span(least), Span(most)))
		default:
			*dst = n
		}
	}
}

// requestTimeout reads a duration that a stop of the service can wait for.
func requestTimeout(dst *time.Duration) read {
	const least = time.Second
	return func(d *decoder, v value) {
		if n, ok := parseSpan(v.text); ok && n > LongestRequest {
			d.add(v, shown(v.text)+" is longer than a stop of the service waits for a call, which would then be cut off and in doubt", fmt.Sprintf("write %s to %s", Span(least), Span(LongestRequest)))
			return
		}
		duration(dst, least, LongestRequest)(d, v)
	}
}

func parseSpan(text string) (time.Duration, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "0" {
		return 0, true
	}
	if !spanForm.MatchString(text) {
		return 0, false
	}
	var sum float64
	for _, p := range spanPart.FindAllStringSubmatch(text, -1) {
		unit, ok := units[p[2]]
		n, err := strconv.ParseFloat(p[1], 64)
		if !ok || err != nil {
			return 0, false
		}
		sum += n * float64(unit)
	}
	if sum > float64(100*366*day) {
		return 0, false
	}
	return time.Duration(sum), true
}

// Span writes a duration the way the file does: 90s, 10m, 75m, 2h, 30 days.
func Span(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d == day:
		return "1 day"
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}

// windowsZones are the names that Windows uses for zones of the United States and Europe (CLDR,
// windowsZones.xml), since that is where an administrator looks first.
var windowsZones = map[string]string{
	"eastern standard time": "America/New_York", "central standard time": "America/Chicago",
	"mountain standard time": "America/Denver", "us mountain standard time": "America/Phoenix",
	"pacific standard time": "America/Los_Angeles", "alaskan standard time": "America/Anchorage",
	"hawaiian standard time": "Pacific/Honolulu", "gmt standard time": "Europe/London",
	"w. europe standard time": "Europe/Berlin", "romance standard time": "Europe/Paris",
	"est": "America/New_York", "edt": "America/New_York", "cst": "America/Chicago", "cdt": "America/Chicago",
	"mst": "America/Denver", "mdt": "America/Denver", "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles",
	"eastern": "America/New_York", "central": "America/Chicago", "mountain": "America/Denver", "pacific": "America/Los_Angeles",
}

var commonZones = []string{
	"US/Eastern", "US/Central", "US/Mountain", "US/Pacific",
	"America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles",
	"America/Anchorage", "Pacific/Honolulu", "America/Toronto", "America/Puerto_Rico", "America/Sao_Paulo", "America/Mexico_City",
	"Europe/London", "Europe/Dublin", "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Rome", "Europe/Zurich",
	"Europe/Amsterdam", "Europe/Stockholm", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney", "UTC",
}

// zone reads the name of a time zone of the IANA data base. An offset or abbreviation is refused:
// it does not know of summer time.
func zone(dst **time.Location) read {
	return func(d *decoder, v value) {
		instead := "write a name of the IANA time zone data base, such as America/Chicago"
		if guess := nearest(v.text, commonZones); guess != "" {
			instead = "did you mean " + guess + "?"
		}
		if name := windowsZones[strings.ToLower(v.text)]; name != "" {
			d.add(v, shown(v.text)+" is not a name of the IANA time zone data base", "write "+name)
			return
		}
		loc, err := time.LoadLocation(v.text)
		if err != nil || v.text == "Local" {
			d.add(v, "there is no time zone "+shown(v.text), instead)
			return
		}
		*dst = loc
	}
}

// path reads a path; relative ones begin at the file's folder.
func path(dst *string) read {
	return func(d *decoder, v value) { *dst = within(d.base(), v.text) }
}

// file reads the path of a file that must be there.
func file(dst *string) read {
	return func(d *decoder, v value) {
		p := within(d.base(), v.text)
		info, err := os.Stat(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.add(v, "there is no file "+p, "put the file there, or write where it is (relative paths begin at the folder of this file)")
		case err != nil:
			d.add(v, "this account may not read "+p, "give the service's account the right to read it")
		case info.IsDir():
			d.add(v, p+" is a folder", "write the path of the file")
		default:
			*dst = p
		}
	}
}

// query reads the path of a file with SQL, which must be there and hold something.
func query(dst *string) read {
	return func(d *decoder, v value) {
		if strings.HasPrefix(strings.ToLower(v.text), "select ") {
			d.add(v, "SQL stays out of this file", "put the query into a file beside this one, and write the file's name here")
			return
		}
		p := ""
		if file(&p)(d, v); p == "" {
			return
		}
		if b, err := os.ReadFile(p); err != nil || strings.TrimSpace(string(b)) == "" {
			d.add(v, p+" cannot be read, or is empty", "write the SELECT into it; its columns are those of the view")
			return
		}
		*dst = p
	}
}

// serverName reads the name of a server or database, and refuses connection strings, which may
// hold a password.
func serverName(dst *string) read {
	return func(d *decoder, v value) {
		if strings.ContainsAny(v.text, ";=") || strings.Contains(v.text, "://") {
			d.hide(v.node)
			d.add(v, "this looks like a connection string", "write the name alone; user, password and database have settings of their own")
			return
		}
		*dst = v.text
	}
}

// sourceName reads the name of a view or table.
func sourceName(dst *string) read {
	return func(d *decoder, v value) {
		if strings.ContainsAny(v.text, ";()\n") || strings.HasPrefix(strings.ToLower(v.text), "select ") {
			d.add(v, "this is not the name of a view", "SQL stays out of this file: write the view's name (schema.view), or put the query\ninto a file and name it with orders_sql or results_sql")
			return
		}
		*dst = v.text
	}
}

// url reads an address of the API.
func url(dst *string) read {
	return func(d *decoder, v value) {
		u, err := neturl.Parse(v.text)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			d.add(v, shown(v.text)+" is not an address", "write for example https://api.prod.whoop.com/developer")
			return
		case u.User != nil:
			d.hide(v.node)
			d.add(v, "an address holds no user and password here", "write client_id and client_secret")
			return
		case u.Scheme == "http":
			d.warn(v, "is not encrypted (http); this is for the simulated API only")
		}
		*dst = strings.TrimRight(v.text, "/")
	}
}

// proxy reads the address of a proxy. It may hold user and password.
func proxy(dst *Secret) read {
	return func(d *decoder, v value) {
		u, err := neturl.Parse(v.text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			d.hide(v.node)
			d.add(v, "this is not the address of a proxy", "write for example http://proxy.example.org:8080")
			return
		}
		if _, has := u.User.Password(); has {
			d.warn(v, "holds a password in plain text")
		}
		*dst = NewSecret(v.text)
	}
}

// hostPort reads host:port.
func hostPort(dst *string) read {
	return func(d *decoder, v value) {
		host, port, err := net.SplitHostPort(v.text)
		if err != nil || host == "" || port == "" {
			d.add(v, shown(v.text)+" has no port", "write for example smtp.example.org:25")
			return
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			d.add(v, shown(port)+" is not a port", "write a number from 1 to 65535")
			return
		}
		*dst = v.text
	}
}

// secret reads a reference to a secret, or the secret itself with a warning.
func secret(dst *Secret) read {
	return func(d *decoder, v value) {
		kind, name, ok := splitReference(v.text)
		if !ok {
			*dst = NewSecret(v.text)
			d.warn(v, "is written in plain text; better: limsbridge secret set NAME, and here secret:NAME")
			return
		}
		d.secrets = append(d.secrets, pending{v, kind, name, dst})
	}
}

// pending is a secret that is looked for once the state folder is known.
type pending struct {
	v          value
	kind, name string
	dst        *Secret
}

// list reads a list of texts; a single text is a list of one.
func list(dst *[]string) read {
	return func(d *decoder, v value) {
		for _, item := range d.items(v.node, v.path, false) {
			*dst = append(*dst, item.text)
		}
	}
}

// items returns the texts of a list with their places. Empty and doubled ones are problems.
func (d *decoder) items(n ast.Node, path string, secret bool) []value {
	nodes := []ast.Node{n}
	if l, ok := n.(*ast.SequenceNode); ok {
		nodes = l.Values
	} else if _, ok := pairs(n); ok {
		d.hide(n)
		d.addAt(n, path, "a list belongs here", "write for example [A, B]")
		return nil
	}
	var items []value
	seen := map[string]bool{}
	for i, m := range nodes {
		p := path
		if len(nodes) > 1 {
			p = fmt.Sprintf("%s[%d]", path, i+1)
		}
		text, ok := d.scalar(m, p, secret)
		switch {
		case !ok:
		case text == "":
			d.addAt(m, p, "an empty member", "remove it")
		case seen[text]:
			twice := shown(text)
			if secret {
				d.hide(m)
				twice = "a member"
			}
			d.addAt(m, p, twice+" stands twice in this list", "keep one of the two")
		default:
			seen[text] = true
			items = append(items, value{path: p, node: m, text: text})
		}
	}
	return items
}
