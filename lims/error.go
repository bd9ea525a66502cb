package lims

import (
	"fmt"
	"strings"
)

// Busy says that the database was busy with others: a lock timeout, a deadlock in which this
// reader was chosen to give way, a statement that ran into its time limit. Nothing is wrong; the
// next tick tries again.
type Busy struct {
	Source Source // "" where it was about no source
	Reason string
}

// Error tells who was in the way and what happens next.
func (e *Busy) Error() string {
	return inSource(e.Source, e.Reason) + "; the next pass tries again"
}

// Unavailable says that the database cannot be reached or does not answer. It is tried again by
// itself; Next is what a person may look at if it lasts.
type Unavailable struct {
	Source Source // "" where it was about no source
	Reason string
	Next   string // "" where nothing but waiting is to be done
}

// Error tells what does not answer and what to look at.
func (e *Unavailable) Error() string {
	text := inSource(e.Source, e.Reason)
	if e.Next != "" {
		text += ": " + e.Next
	}
	return text
}

// Misfit says that settings, rights, certificate, query or columns do not fit: trying again does
// not help, a person must change something.
type Misfit struct {
	Source   Source   // "" where it is about no source
	Problems []string // each: what is wrong and what to write or do instead
	Right    bool     // a right in the database is missing
}

// Error tells all problems at once.
func (e *Misfit) Error() string {
	return inSource(e.Source, strings.Join(e.Problems, "; "))
}

// misfit returns a Misfit with one problem.
func misfit(s Source, format string, args ...any) *Misfit {
	return &Misfit{Source: s, Problems: []string{fmt.Sprintf(format, args...)}}
}

// unauthorized returns a Misfit for a missing right.
func unauthorized(s Source, message, said string) *Misfit {
	m := misfit(s, "%s (%s): ask the DBA for GRANT SELECT", message, said)
	m.Right = true
	return m
}

func inSource(s Source, text string) string {
	if s == "" {
		return text
	}
	return string(s) + ": " + text
}
