//go:build !linux

package main

import "syscall"

// childAttributes: an own process group. Without a death signal, only the end of the pipe ends the children.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
