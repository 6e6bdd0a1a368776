package main

import "syscall"

// childAttributes: an own process group, and death with the supervisor even if that is killed itself.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
