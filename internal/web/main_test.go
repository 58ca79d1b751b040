package web_test

import (
	"testing"

	"go.uber.org/goleak"
)

// lingering is where net/http waits for half a second before it closes a
// connection whose body it has not read: it ends by itself.
const lingering = "net/http.(*conn).closeWriteAndWait"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(lingering)) }
