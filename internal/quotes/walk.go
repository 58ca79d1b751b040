package quotes

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strconv"
)

// Quote is what a stock was traded for.
type Quote struct {
	Symbol string
	Data   json.RawMessage // an object on one line
}

// Walk is a made-up price of one stock that moves as the usual model says, by
// geometric Brownian motion: the logarithms of the changes are independent and
// normal, and the price is expected to stay where it is.
type Walk struct {
	symbol     string
	volatility float64
	chance     *rand.Rand
	open       float64
	price      float64
	volume     int64
}

// NewWalk returns a Walk whose price changes by volatility, the standard
// deviation of the logarithm, from one quote to the next: 0.001 is a tenth of a
// percent. The same symbol, seed and volatility give the same prices, whatever
// other walks there are.
func NewWalk(symbol string, seed uint64, volatility float64) *Walk {
	h := fnv.New64a()
	_, _ = h.Write([]byte(symbol)) // never fails
	price := firstPrice(symbol, h.Sum64())
	return &Walk{symbol: symbol, volatility: volatility, chance: rand.New(rand.NewPCG(seed, h.Sum64())),
		open: price, price: price}
}

// Price returns the last quote's price, or the first one, before it is rounded
// to what is traded.
func (w *Walk) Price() float64 { return w.price }

// Next returns the next quote: symbol, price, the change since the walk began
// in percent, and the volume traded since then.
func (w *Walk) Next() Quote {
	// Half of the variance off: else the mean of the prices would rise.
	step := w.volatility*w.chance.NormFloat64() - w.volatility*w.volatility/2
	w.price = min(max(w.price*math.Exp(step), lowest), highest)
	w.volume += 1 + int64(w.chance.ExpFloat64()*200)

	data := strconv.AppendQuote([]byte(`{"symbol":`), w.symbol)
	data = append(data, `,"price":`...)
	data = appendPrice(data, w.price)
	data = append(data, `,"change_percent":`...)
	data = strconv.AppendFloat(data, 100*(w.price/w.open-1), 'f', 2, 64)
	data = append(data, `,"volume":`...)
	data = strconv.AppendInt(data, w.volume, 10)
	return Quote{Symbol: w.symbol, Data: append(data, '}')}
}

// A price stays in what can be written and read without losing digits.
const (
	lowest  = 0.0001
	highest = 1e9
)

func appendPrice(data []byte, price float64) []byte {
	if price < 1 {
		return strconv.AppendFloat(data, price, 'f', 4, 64)
	}
	return strconv.AppendFloat(data, price, 'f', 2, 64)
}

// firstPrice returns a price about which nobody wonders, if the symbol is well
// known, else one from 10 to 500.
func firstPrice(symbol string, hash uint64) float64 {
	switch symbol {
	case "AAPL":
		return 187.20
	case "AMZN":
		return 178.50
	case "BTC":
		return 64200
	case "GOOG":
		return 165.30
	case "IBM":
		return 190.10
	case "META":
		return 495.80
	case "MSFT":
		return 417.60
	case "NVDA":
		return 118.40
	case "TSLA":
		return 248.90
	}
	share := float64(hash>>11) / (1 << 53)
	return math.Round(100*10*math.Pow(50, share)) / 100
}
