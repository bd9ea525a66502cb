package installer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kardianos/service"
)

// Service is one instance of limsbridge as a service.
type Service struct {
	// Instance tells several services of one machine apart; "" is the only one, or the first.
	Instance string
	// Program is the executable's path, Arguments what it is called with.
	Program   string
	Arguments []string
	// Account runs it: on Windows "" (an account that Windows keeps for this service alone,
	// NT SERVICE\name), DOMAIN\user, or DOMAIN\user$ (a group managed service account); on Linux a
	// user, "" is limsbridge.
	Account string
	// Password is the account's, where it has one.
	Password string
	// Reads and Writes are the folders of the configuration, and of ledger, logs and archive. The
	// account gets these rights and, on Windows, nobody else but administrators.
	Reads, Writes []string
}

// ErrNotInstalled says that the service manager does not know the service.
var ErrNotInstalled = errors.New("the service is not installed: limsbridge service install")

// ErrInstalled says that it does already.
var ErrInstalled = errors.New("the service is installed already: --again brings it up to date, --name installs another one beside it")

// instanceForm is what an instance may be called: part of file names, and of what both managers
// accept as a service's name.
var instanceForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)

// taken are the folders of the first service beside which those of an instance lie.
var taken = []string{"archive", "journal", "log", "secrets", "state"}

// ValidInstance reports whether a service can be told apart by this name: letters, digits, dash
// and underscore, at most 32, and no name that a folder of the first service has.
func ValidInstance(name string) bool {
	return name == "" || instanceForm.MatchString(name) && !slices.Contains(taken, strings.ToLower(name))
}

// StopLimit is how long a stop may take, on both systems: a call that is under way is finished, then the
// ledger is closed. Both managers end a service by force that takes longer.
const StopLimit = 60 * time.Second

// base is the service's name without an instance.
const base = "limsbridge"

// Name is what the service manager calls it: limsbridge, or limsbridge-INSTANCE.
func (s Service) Name() string {
	if s.Instance == "" {
		return base
	}
	return base + "-" + s.Instance
}

// Install makes the service known to the manager, to be started with the machine. It does not start
// it. One that is known already is an error, or with again brought up to date: program, arguments,
// rights on folders, and the account where one is given. What could be done only in part is told in
// warnings.
func (s Service) Install(again bool) (warnings []string, err error) {
	if s.Program == "" {
		if s.Program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	state, err := s.Status()
	switch {
	case err != nil:
		return nil, err
	case state != Missing && !again:
		return nil, ErrInstalled
	}
	return s.install(state != Missing)
}

// Configuration returns the configuration's file that an installed service is called with; "": it is
// not installed, or finds its file by itself.
func (s Service) Configuration() (string, error) {
	if state, err := s.Status(); err != nil || state == Missing {
		return "", err
	}
	words, err := s.commandLine()
	if err != nil {
		return "", err
	}
	return configOf(words), nil
}

// configOf is the file that a command line names.
func configOf(words []string) string {
	for i, w := range words {
		if path, ok := strings.CutPrefix(w, "--config="); ok {
			return path
		}
		if w == "--config" && i+1 < len(words) {
			return words[i+1]
		}
	}
	return ""
}

// ownFolder refuses a folder that serves more than limsbridge: the rights on it, and on all that is in it,
// are about to be given to the service.
func ownFolder(folder string) error {
	clean, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(clean); err == nil {
		clean = real
	}
	for _, pattern := range systemFolders() {
		if is, err := filepath.Match(fold(pattern), fold(clean)); is && err == nil {
			return fmt.Errorf("the folder %s is not limsbridge's alone, so its rights were left as they are: put the configuration, and what it names as state, log.folder and archive.folder, into folders of their own, such as %s", folder, filepath.Join(folder, base))
		}
	}
	return nil
}

// Uninstall makes the manager forget the service. It touches no file of the service's own:
// configuration, ledger, secrets and logs stay.
func (s Service) Uninstall() error {
	if err := s.installed(); err != nil {
		return err
	}
	if err := s.removable(); err != nil {
		return err
	}
	if s.running() {
		if err := s.Stop(); err != nil {
			return err
		}
	}
	return s.manage("uninstall", service.Service.Uninstall)
}

// Start starts the service.
func (s Service) Start() error {
	if err := s.installed(); err != nil {
		return err
	}
	return s.manage("start", service.Service.Start)
}

// Stop stops the service, and returns when it has ended.
func (s Service) Stop() error {
	if err := s.installed(); err != nil {
		return err
	}
	return s.manage("stop", service.Service.Stop)
}

// State is how the manager says the service stands.
type State string

// The states.
const (
	Running State = "running"
	Stopped State = "stopped"
	Missing State = "not installed"
	Failed  State = "failed"
)

// Status asks the manager, which is a matter of milliseconds.
func (s Service) Status() (State, error) {
	m, err := s.manager()
	if err != nil {
		return "", err
	}
	status, err := m.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return Missing, nil
	case err != nil && status == service.StatusUnknown && failed(err):
		return Failed, nil
	case err != nil:
		return "", err
	case status == service.StatusRunning:
		return Running, nil
	}
	return Stopped, nil
}

func (s Service) running() bool {
	state, err := s.Status()
	return err == nil && state == Running
}

func (s Service) installed() error {
	state, err := s.Status()
	if err == nil && state == Missing {
		return ErrNotInstalled
	}
	return err
}

// manage asks the manager for something, and says what it was where it fails.
func (s Service) manage(what string, do func(service.Service) error) error {
	m, err := s.manager()
	if err != nil {
		return err
	}
	if err := do(m); err != nil {
		return fmt.Errorf("%s the service %s: %w%s", what, s.Name(), err, rights(err))
	}
	return nil
}

// manager is the machine's service manager, as far as it concerns this service.
func (s Service) manager() (service.Service, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	c := &service.Config{
		Name: s.Name(), DisplayName: s.Name(), Description: description(s.Instance),
		Executable: s.Program, Arguments: s.Arguments, UserName: s.Account, Option: s.options(),
	}
	return service.New(nothing{}, c)
}

// description is the same on both systems.
func description(instance string) string {
	text := "Carries results from the lab's LIMS database to WHOOP"
	if instance != "" {
		text += " (" + instance + ")"
	}
	return text
}

// nothing is what the manager never runs here: see Run.
type nothing struct{}

func (nothing) Start(service.Service) error { return nil }
func (nothing) Stop(service.Service) error  { return nil }
