// Package config reads the one YAML file that a lab's IT writes.
//
// It promises that a file is either understood completely or refused with every problem at once,
// each with its place, what is wrong and what to write instead; that nothing is guessed (an
// unknown setting or word is a problem, codes and words are text exactly as written); and that no
// secret is ever printed, not even inside the line that a problem shows.
//
// It does not talk to the database or to WHOOP: whether the settings work is what the check
// command finds out. It never writes the file.
//
// The defaults, with their reasons, stand in one table: Defaults.
package config
