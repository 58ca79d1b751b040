package web_test

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"tickertape/internal/browser"
	"tickertape/internal/nodetest"
)

// screens are those of which the README shows pictures.
var screens = map[string]browser.Screen{
	"light": {Width: 1280, Height: 800, Scale: 1},
	"dark":  {Width: 1280, Height: 800, Scale: 1, Dark: true},
	"phone": {Width: 390, Height: 844, Scale: 1.5, Mobile: true},
}

// maxPicture keeps the repository small, in bytes.
const maxPicture = 150 << 10

// The page can be shown to anyone.
func pageMakesPictures(s *scene) {
	node := nodetest.Start(s, nodetest.Options{})
	browser.Call(s.tab, emulation.SetScrollbarsHidden, emulation.SetScrollbarsHiddenParams{Hidden: true})
	s.tab.Show(screens["light"])
	s.tab.Open(node.URL)
	s.tab.Wait(`!document.querySelector('#welcome').hidden`)
	s.keepPicture("welcome")
	m := newMarket(21)
	s.publish(node, headlines(time.Now())...)
	s.publish(node, m.quotes()...)
	s.tab.Wait(`document.querySelectorAll('.tile').length === 8`, `document.body.innerText`)
	s.awaitState("open")
	for i := range 61 {
		last := s.publish(node, m.quotes()...)
		if i%5 == 0 { // not all at once, as life has it
			s.awaitCursor(last[len(last)-1])
		}
	}
	s.tab.Wait(`document.querySelector('#topic-list').innerText.includes('62')`, `document.body.innerText`)
	for name, screen := range screens {
		s.tab.Show(screen)
		s.checkWidth(screen.Width)
		s.keepPicture(name)
	}
	s.tab.Click("#language")
	for _, name := range [...]string{"light", "phone"} {
		s.tab.Show(screens[name])
		s.checkWidth(screens[name].Width)
		s.keepPicture(name + "-zh")
	}
	s.tab.Click("#language")
	browser.Eval[bool](s.tab, `document.querySelector('#stream').scrollIntoView(), true`)
	s.keepPicture("phone-feed")
	browser.Eval[bool](s.tab, `document.querySelector('#side').scrollIntoView(), true`)
	s.keepPicture("phone-side")
	s.silent()
}

// keepPicture writes what the screen shows, once nothing moves any more, into
// the directory that CONSOLE_PICTURES names, small enough for a repository;
// without one the picture as it is goes where the test's files go.
func (s *scene) keepPicture(name string) {
	s.Helper()
	s.tab.Wait(`document.getAnimations().length === 0`)
	dir, picture := os.Getenv("CONSOLE_PICTURES"), s.tab.Screenshot()
	if dir == "" {
		dir = s.TempDir()
	} else if picture = s.compact(picture); len(picture) > maxPicture {
		s.Errorf("the picture %s has %d bytes", name, len(picture))
	}
	if err := os.WriteFile(filepath.Join(dir, "console-"+name+".png"), picture, 0o644); err != nil {
		s.Error(err)
	}
}

// compact returns a PNG with the 256 most frequent of its colours; the others
// become the nearest of them.
func (s *scene) compact(picture []byte) []byte {
	s.Helper()
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		s.Fatal(err)
	}
	full := image.NewRGBA(decoded.Bounds())
	draw.Draw(full, full.Rect, decoded, image.Point{}, draw.Src)
	count := map[[4]byte]int{}
	for at := 0; at < len(full.Pix); at += 4 {
		count[[4]byte(full.Pix[at:])]++
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b [4]byte) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), bytes.Compare(a[:], b[:]))
	})
	small := image.NewPaletted(full.Rect, nil)
	index := map[[4]byte]uint8{}
	for _, c := range colours {
		rgba := color.RGBA{c[0], c[1], c[2], c[3]}
		if len(small.Palette) < 256 {
			small.Palette = append(small.Palette, rgba)
		}
		index[c] = uint8(small.Palette.Index(rgba))
	}
	for i := range small.Pix {
		small.Pix[i] = index[[4]byte(full.Pix[4*i:])]
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		s.Fatal(err)
	}
	return out.Bytes()
}
