package web

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// A node that joins and does not take the members is not sent them for ever, and what it answers is not read for long.
func TestJoinerThatDoesNotTakeTheMembers(t *testing.T) {
	for name, answer := range map[string]func(net.Conn) int64{
		"refuses": func(conn net.Conn) int64 {
			n, _ := io.WriteString(conn, "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n")
			return int64(n)
		},
		"long header": func(conn net.Conn) int64 { // as much of it as is taken
			n, _ := io.WriteString(conn, "HTTP/1.1 200 x\r\nX: ")
			more, _ := io.Copy(conn, bytes.NewReader(bytes.Repeat([]byte("a"), 32<<20)))
			return int64(n) + more
		},
		"long body": func(conn net.Conn) int64 {
			n, _ := io.WriteString(conn, "HTTP/1.1 500 x\r\n\r\n")
			more, _ := io.Copy(conn, bytes.NewReader(bytes.Repeat([]byte("a"), 32<<20)))
			return int64(n) + more
		},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			taken := make(chan int64, 100)
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						close(taken)
						return
					}
					if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
						taken <- answer(conn)
					}
					conn.Close()
				}
			}()
			began := time.Now()
			sendMembers(t.Context(), netip.MustParseAddrPort(listener.Addr().String()), []byte("{}"))
			listener.Close()
			times, most := 0, int64(0)
			for n := range taken {
				times, most = times+1, max(most, n)
			}
			if times != earlierJoinTries || most > 8<<20 || time.Since(began) > earlierJoinFor {
				t.Errorf("it was asked %d times, and of one answer %d bytes were taken", times, most)
			}
		})
	}
}
