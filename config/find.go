package config

import (
	"os"
	"path/filepath"
)

// FileName is what the file is called.
const FileName = "limsbridge.yaml"

// Find returns the file that is used without a flag: the machine's (see Places), else the one
// beside the program. False: there is none, and the path is where init would write it.
func Find() (string, bool) {
	places := Places()
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, true
		}
	}
	return places[0], false
}

// Places lists where the file is looked for, in that order.
func Places() []string {
	places := []string{filepath.Join(machineFolder(), FileName)}
	if program, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(program), FileName))
	}
	return places
}
