// Package recipes holds the files that limsbridge init writes: a complete, commented
// limsbridge.yaml in mode observe, and create-views.sql, the one file that the DBA reads.
//
// It promises that each file fits its LIMS and database and that the YAML loads once its empty
// values are filled. It does not know the lab: where a LIMS keeps WHOOP's requisition id, and
// which of its orders are WHOOP's, stands in the SQL as an example, marked CHECK.
//
// A lab's own recipe goes into templates, as NAME-DATABASE.sql, with its status words in
// limsbridge.yaml.tmpl, its name in the table databases, and rows of its tables' shape in
// shapes_test.go. CONTRIBUTING.md says what each must hold.
package recipes

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates
var files embed.FS

// Choice is what init is asked for.
type Choice struct {
	LIMS string // openelis, labware, labvantage, generic
	DB   string // sqlserver, postgres, mysql, oracle, sqlite; "" where the LIMS leaves no choice
}

// databases lists what each LIMS runs on, as far as there is a recipe.
var databases = map[string][]string{
	"openelis":   {"postgres"},
	"labware":    {"sqlserver"},
	"labvantage": {"sqlserver"},
	"generic":    {"sqlserver", "postgres", "mysql", "oracle", "sqlite"},
}

// LIMS lists the systems that there are recipes for.
func LIMS() []string { return []string{"labware", "openelis", "labvantage", "generic"} }

// Choices lists every combination.
func Choices() []Choice {
	var all []Choice
	for _, l := range LIMS() {
		for _, db := range databases[l] {
			all = append(all, Choice{l, db})
		}
	}
	return all
}

// Render returns both files. The error says what to type instead.
func Render(c Choice) (yaml, sql []byte, err error) {
	dbs, known := databases[c.LIMS]
	switch {
	case c.LIMS == "":
		return nil, nil, fmt.Errorf("which LIMS? write --lims %s", strings.Join(LIMS(), ", --lims "))
	case !known:
		return nil, nil, fmt.Errorf("there is no recipe for the LIMS %q; known are %s (generic fits every other)", c.LIMS, strings.Join(LIMS(), ", "))
	case c.DB == "" && len(dbs) == 1:
		c.DB = dbs[0]
	case c.DB == "":
		return nil, nil, fmt.Errorf("which database? write --db %s", strings.Join(dbs, ", --db "))
	case !slices.Contains(dbs, c.DB):
		return nil, nil, fmt.Errorf("there is no recipe for %s on %q; known is %s (--lims generic fits every other)", c.LIMS, c.DB, strings.Join(dbs, ", "))
	}
	if yaml, err = fill("limsbridge.yaml.tmpl", c); err != nil {
		return nil, nil, err
	}
	sql, err = fill(c.LIMS+"-"+c.DB+".sql", c)
	return yaml, sql, err
}

// fill renders one file. Files of SQL Server share their login.
func fill(name string, c Choice) ([]byte, error) {
	t := template.New(name).Delims("[[", "]]")
	login, err := files.ReadFile("templates/login-sqlserver.sql")
	if err == nil {
		_, err = t.New("login").Parse(string(login))
	}
	if err == nil {
		_, err = t.ParseFS(files, "templates/"+name)
	}
	var b bytes.Buffer
	if err == nil {
		err = t.ExecuteTemplate(&b, name, c)
	}
	return b.Bytes(), err
}
