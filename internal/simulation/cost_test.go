package simulation_test
import ("testing";"runtime/debug")
func TestMain(m *testing.M){ debug.SetGCPercent(400); m.Run() }
