package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The parts of CycloneDX 1.6 that are used (https://cyclonedx.org/docs/1.6/json/).
type (
	billOfMaterials struct {
		Format       string      `json:"bomFormat"`
		SpecVersion  string      `json:"specVersion"`
		SerialNumber string      `json:"serialNumber"`
		Version      int         `json:"version"`
		Metadata     metadata    `json:"metadata"`
		Components   []component `json:"components"`
		Dependencies []dependsOn `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type       string      `json:"type"`
		Ref        string      `json:"bom-ref,omitempty"`
		Name       string      `json:"name"`
		Version    string      `json:"version,omitempty"`
		Hashes     []hash      `json:"hashes,omitempty"`
		Licences   []licence   `json:"licenses,omitempty"`
		PURL       string      `json:"purl,omitempty"`
		Properties []property  `json:"properties,omitempty"`
		Components []component `json:"components,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licence struct {
		Expression string `json:"expression"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependsOn struct {
		Ref string   `json:"ref"`
		On  []string `json:"dependsOn"`
	}
)

// sbom writes the bill of materials of the programs: what they say themselves is built into them.
func sbom(w io.Writer, version string, programs []string, at time.Time) error {
	modules, goVersion, err := builtIn(programs)
	if err != nil {
		return err
	}
	main := component{Type: "application", Ref: "limsbridge", Name: "limsbridge", Version: version, Licences: []licence{{"Apache-2.0"}}}
	identity := []string{version}
	for _, p := range programs {
		sum, err := sha256Of(p)
		if err != nil {
			return err
		}
		identity = append(identity, sum)
		main.Components = append(main.Components, component{Type: "file", Name: filepath.Base(p), Hashes: []hash{{"SHA-256", sum}}})
	}
	number := strings.TrimPrefix(strings.Fields(goVersion)[0], "go")
	components := []component{{Type: "library", Ref: "pkg:golang/std@" + number, Name: "std", Version: number, PURL: "pkg:golang/std@" + number}}
	for _, m := range modules {
		purl := "pkg:golang/" + m.path + "@" + m.version
		c := component{Type: "library", Ref: purl, Name: m.path, Version: m.version, PURL: purl}
		// h1 is the SHA-256 of the module's list of files and sums (golang.org/x/mod/sumdb/dirhash).
		if sum, ok := strings.CutPrefix(m.sum, "h1:"); ok {
			raw, err := base64.StdEncoding.DecodeString(sum)
			if err != nil {
				return err
			}
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
			c.Properties = []property{{"go:sum", m.sum}}
		}
		components = append(components, c)
	}
	on := dependsOn{Ref: main.Ref}
	for _, c := range components {
		on.On = append(on.On, c.Ref)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(billOfMaterials{
		Format: "CycloneDX", SpecVersion: "1.6", SerialNumber: uuid.NewSHA1(uuid.NameSpaceURL, []byte(strings.Join(identity, " "))).URN(), Version: 1,
		Metadata:   metadata{at.Format(time.RFC3339), main},
		Components: components, Dependencies: []dependsOn{on},
	})
}
