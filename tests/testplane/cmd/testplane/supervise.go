package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// order is one request of the launcher: a JSON object on the supervisor's stdin.
type order struct {
	Do      string   `json:"do"` // "start" or "signal"
	ID      int      `json:"id"`
	Program string   `json:"program"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`    // the whole environment, as KEY=VALUE
	Log     string   `json:"log"`    // stdout and stderr are appended there
	Signal  string   `json:"signal"` // "TERM" or "KILL"
}

// event is one answer on the supervisor's stdout.
type event struct {
	Event  string `json:"event"` // "started", "failed" or "exited"
	ID     int    `json:"id"`
	Pid    int    `json:"pid,omitempty"`
	Code   int    `json:"code"`
	Signal int    `json:"signal,omitempty"`
	Error  string `json:"error,omitempty"`
}

// grace is what a child has between SIGTERM and SIGKILL once the launcher is gone.
const grace = 2 * time.Second

type supervisor struct {
	alive  map[int]int // id -> pid, which is also the process group
	exited chan event
	out    *json.Encoder
}

// runSupervise starts what the launcher orders, and when its stdin ends (the launcher returned, panicked or was killed) it
// ends every child and then removes DIR. There is one supervisor per launcher, and it never outlives its children.
func runSupervise(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: supervise DIR")
		return 2
	}
	// Pdeathsig fires when the *thread* that forked ends: fork from one thread only, which lives as long as this process.
	runtime.LockOSThread()
	signals := make(chan os.Signal, 8)
	// Caught, not ignored: children inherit ignored signals. Ctrl-C and a closed terminal reach the whole foreground group, and a
	// launcher that is gone makes stdout a broken pipe: in each case the end of stdin, not the signal, is what ends the children.
	signal.Notify(signals, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGTERM)

	s := &supervisor{alive: map[int]int{}, exited: make(chan event), out: json.NewEncoder(os.Stdout)}
	s.serve(readOrders(os.Stdin), signals)
	s.endAll(signals)
	return removeAll(args[0])
}

// readOrders closes its channel at the end of the input, and equally at an order it cannot read.
func readOrders(input io.Reader) <-chan order {
	orders := make(chan order)
	go func() {
		defer close(orders)
		decoder := json.NewDecoder(input)
		for {
			var o order
			if err := decoder.Decode(&o); err != nil {
				if err != io.EOF {
					fmt.Fprintln(os.Stderr, "supervise: cannot read an order:", err)
				}
				return
			}
			orders <- o
		}
	}()
	return orders
}

func (s *supervisor) serve(orders <-chan order, signals <-chan os.Signal) {
	for {
		select {
		case o, more := <-orders:
			if !more {
				return
			}
			s.obey(o)
		case e := <-s.exited:
			s.report(e)
		case sig := <-signals:
			if sig == syscall.SIGTERM {
				return
			}
		}
	}
}

func (s *supervisor) obey(o order) {
	switch {
	case o.Do == "start":
		s.start(o)
	case o.Do == "signal" && o.Signal == "KILL":
		s.signal(o.ID, syscall.SIGKILL)
	case o.Do == "signal" && o.Signal == "TERM":
		s.signal(o.ID, syscall.SIGTERM)
	default:
		fmt.Fprintf(os.Stderr, "supervise: unknown order %q %q\n", o.Do, o.Signal)
	}
}

func (s *supervisor) start(o order) {
	fail := func(err error) { _ = s.out.Encode(event{Event: "failed", ID: o.ID, Error: err.Error()}) }
	log, err := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fail(err)
		return
	}
	defer log.Close()
	cmd := exec.Command(o.Program, o.Args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = o.Env, log, log
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		fail(err)
		return
	}
	s.alive[o.ID] = cmd.Process.Pid
	_ = s.out.Encode(event{Event: "started", ID: o.ID, Pid: cmd.Process.Pid})
	go func() {
		_ = cmd.Wait()
		e := event{Event: "exited", ID: o.ID, Pid: cmd.Process.Pid, Code: cmd.ProcessState.ExitCode()}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			e.Signal = int(status.Signal())
		}
		s.exited <- e
	}()
}

// signal goes to the whole process group. An id that is gone is no error: the launcher hears of the end from "exited".
func (s *supervisor) signal(id int, sig syscall.Signal) {
	if pid, ok := s.alive[id]; ok {
		_ = syscall.Kill(-pid, sig)
	}
}

// report forgets a child that ended, with whatever it left in its process group.
func (s *supervisor) report(e event) {
	_ = syscall.Kill(-e.Pid, syscall.SIGKILL)
	delete(s.alive, e.ID)
	_ = s.out.Encode(e)
}

func (s *supervisor) endAll(signals <-chan os.Signal) {
	for id := range s.alive {
		s.signal(id, syscall.SIGTERM)
	}
	patience := time.After(grace)
	for len(s.alive) > 0 {
		select {
		case e := <-s.exited:
			s.report(e)
		case <-patience:
			for id := range s.alive {
				s.signal(id, syscall.SIGKILL)
			}
		case <-signals:
		}
	}
}

// removeAll tries again for a while: a grandchild that was just killed may still have been writing.
func removeAll(dir string) int {
	var err error
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "supervise:", err)
	return 1
}
