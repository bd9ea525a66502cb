package installer

import (
	_ "embed"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed limsbridge.service.tmpl
var unitText string

// unitTemplate is the one unit, of the packages and of `limsbridge service install`.
var unitTemplate = template.Must(template.New("unit").Funcs(template.FuncMap{"word": unitWord, "path": unitPath}).Parse(unitText))

// Unit returns the systemd unit of the service. Without Program, Arguments and Account it is the
// one that the packages install.
func (s Service) Unit() (string, error) {
	if s.Program == "" {
		s.Program = "/usr/bin/" + base
	}
	if s.Account == "" {
		s.Account = base
	}
	if len(s.Arguments) == 0 {
		s.Arguments = []string{"run"}
	}
	folder := base
	if s.Instance != "" {
		folder += "/" + s.Instance
	}
	// What lies in the folders that systemd makes for the service needs no permission of its own.
	writes := slices.DeleteFunc(slices.Clone(s.Writes), func(path string) bool {
		return within("/var/lib/"+folder, path) || within("/var/log/"+folder, path)
	})
	var b strings.Builder
	err := unitTemplate.Execute(&b, struct {
		Service
		Description, Folder, Home string
		Reload, Writes            []string
		StopSeconds               int
	}{s, description(s.Instance), folder, homes(slices.Concat(s.Reads, writes)), append([]string{"reload"}, s.Arguments[1:]...), writes, int(StopLimit.Seconds())})
	return b.String(), err
}

// homes is what the service may see of the users' folders: nothing, unless its own files lie there.
func homes(paths []string) string {
	for _, p := range paths {
		for _, home := range []string{"/home", "/root", "/run/user"} {
			if within(home, p) {
				return "read-only"
			}
		}
	}
	return "yes"
}

func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// unitWord quotes a word of a command line (systemd.service(5), COMMAND LINES).
func unitWord(word string) string { return unitPath(strings.ReplaceAll(word, `$`, `$$`)) }

// execStart returns the words of a unit's command line that unitWord wrote.
func execStart(unit string) []string {
	var words []string
	for line := range strings.Lines(unit) {
		line, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "ExecStart=")
		if !ok {
			continue
		}
		word, some, quoted := "", false, false
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case c == '"':
				quoted, some = !quoted, true
			case c == ' ' && !quoted:
				if some {
					words = append(words, word)
				}
				word, some = "", false
			default:
				if i+1 < len(line) && (c == '\\' || (c == '%' || c == '$') && line[i+1] == c) {
					i++
				}
				word, some = word+line[i:i+1], true
			}
		}
		if some {
			words = append(words, word)
		}
	}
	return words
}

// unitPath quotes a path outside of command lines, where no variables are replaced (systemd.exec(5), PATHS).
func unitPath(word string) string {
	word = strings.NewReplacer(`%`, `%%`, `\`, `\\`, `"`, `\"`).Replace(word)
	if strings.ContainsAny(word, " \t'\";") {
		return `"` + word + `"`
	}
	return word
}
