package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"time"
)

// The page: plain files, served as they are.
//
//go:embed page
var files embed.FS

// pageRoutes gives a route for each file of the page.
func pageRoutes() []route {
	return []route{
		file("/{$}", "index.html", "text/html; charset=utf-8"),
		file("/page.js", "page.js", "text/javascript; charset=utf-8"),
		file("/style.css", "style.css", "text/css; charset=utf-8"),
		file("/icon.svg", "icon.svg", "image/svg+xml"),
	}
}

// file serves one embedded file. Browsers ask each time whether it is still
// the same, so that a page never runs with the script of another version.
func file(path, name, kind string) route {
	content, err := files.ReadFile("page/" + name)
	if err != nil {
		panic(err) // it was embedded
	}
	tag := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(content)))
	return route{method: http.MethodGet, path: path, answer: func(w http.ResponseWriter, r *http.Request) *problem {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
		return nil
	}}
}
