package installer

import (
	"errors"

	"golang.org/x/sys/windows/registry"
)

// StopToResume stops the service, and notes whether it ran, for Resume. The note lies with the service: what
// the manager keeps of it only administrators write, and it goes with it.
func (s Service) StopToResume() error {
	if err := s.installed(); err != nil {
		return err
	}
	var noted error
	if s.running() {
		noted = s.noteRun()
	} else {
		_, noted = s.takeNote() // an older one says nothing of today
	}
	return errors.Join(noted, s.Stop())
}

// Resume starts the service if StopToResume found it running, and does so once: what was stopped by a person
// stays stopped.
func (s Service) Resume() error {
	if err := s.installed(); err != nil {
		return err
	}
	ran, err := s.takeNote()
	if err != nil || !ran {
		return err
	}
	return s.Start()
}

// Where the note lies: services keep what is their own in this key.
const (
	noteKey   = "Parameters"
	noteValue = "Resume"
)

func (s Service) noted(access uint32) (registry.Key, error) {
	return registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\`+s.Name(), access)
}

func (s Service) noteRun() error {
	service, err := s.noted(registry.CREATE_SUB_KEY)
	if err != nil {
		return err
	}
	defer service.Close()
	k, _, err := registry.CreateKey(service, noteKey, registry.SET_VALUE)
	if err != nil {
		return err
	}
	return errors.Join(k.SetDWordValue(noteValue, 1), k.Close())
}

// takeNote takes the note away, and returns whether there was one.
func (s Service) takeNote() (bool, error) {
	service, err := s.noted(registry.QUERY_VALUE)
	if err != nil {
		return false, err
	}
	defer service.Close()
	k, err := registry.OpenKey(service, noteKey, registry.QUERY_VALUE|registry.SET_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer k.Close()
	err = k.DeleteValue(noteValue)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
