//go:build !linux

package stream

import "net/http"

const haveLoops = false

// loops are on Linux only: here, there are none.
type loops struct{}

func (*loops) wake()  {}
func (*loops) cut()   {}
func (*loops) close() {}

func (*Server) take(http.ResponseWriter, *http.Request, Request, func(Served)) bool { return false }
