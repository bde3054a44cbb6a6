//go:build !386 && !s390x

package agent

import (
	"syscall"
	"unsafe"
)

// overflow gives how many datagrams the kernel dropped because the socket's
// buffer was full.
func (d *datagrams) overflow() uint64 {
	const (
		soMeminfo = 55 // SO_MEMINFO, linux/socket.h
		drops     = 8  // SK_MEMINFO_DROPS, linux/sock_diag.h
	)
	var info [drops + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	raw, err := d.conn.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.SOL_SOCKET, soMeminfo,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	return uint64(info[drops])
}
