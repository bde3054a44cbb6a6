package store

import (
	"encoding/hex"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// bootFile names the machine's start, as 32 hexadecimal digits and hyphens
// (proc_sys_kernel(5)).
const bootFile = "/proc/sys/kernel/random/boot_id"

// siteOf gives where a file is; zero if that is not known.
func siteOf(path string) (p site) {
	var stat unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO|unix.STATX_BTIME|unix.STATX_CTIME, &stat) != nil || stat.Mask&unix.STATX_INO == 0 {
		return site{}
	}
	p.inode, p.device = stat.Ino, unix.Mkdev(stat.Dev_major, stat.Dev_minor)
	if stat.Mask&unix.STATX_BTIME != 0 {
		p.born = stat.Btime.Sec*1e9 + int64(stat.Btime.Nsec)
	}
	if stat.Mask&unix.STATX_CTIME != 0 {
		p.wrote = stat.Ctime.Sec*1e9 + int64(stat.Ctime.Nsec)
	}
	if text, err := os.ReadFile(bootFile); err == nil {
		boot, _ := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
		copy(p.boot[:], boot)
	}
	return p
}
