package web_test

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

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

// The page can be shown to anyone. Its pictures go to the directory that
// CONSOLE_PICTURES names.
func pageMakesPictures(s *scene) {
	dir := os.Getenv("CONSOLE_PICTURES")
	if dir == "" {
		dir = s.TempDir()
	}
	node := nodetest.Start(s, nodetest.Options{})
	m := newMarket(7)
	s.publish(node, headlines(time.Now())...)
	s.publish(node, m.quotes()...)
	s.tab.Open(node.URL)
	s.awaitState("open")
	s.tab.Wait(`document.querySelectorAll('.tile').length === 8`, `document.body.innerText`)
	for range 60 {
		s.publish(node, m.quotes()...)
	}
	last := s.publish(node, m.quotes()...)
	s.awaitCursor(last[len(last)-1])
	s.tab.Wait(`document.querySelector('#topic-list').innerText.includes('62')`, `document.body.innerText`)
	for name, screen := range screens {
		s.tab.Show(screen)
		s.checkWidth(screen.Width)
		s.tab.Wait(`document.getAnimations().length === 0`)
		picture := s.compact(s.tab.Picture())
		if len(picture) > maxPicture {
			s.Errorf("the picture %s has %d bytes", name, len(picture))
		}
		if err := os.WriteFile(filepath.Join(dir, "console-"+name+".png"), picture, 0o644); err != nil {
			s.Error(err)
		}
	}
	if c := s.tab.Complaints(); len(c) > 0 {
		s.Errorf("the console complains: %v", c)
	}
}

// compact returns a PNG with the 256 most frequent of its colours; the others
// become the nearest of them.
func (s *scene) compact(picture []byte) []byte {
	s.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		s.Fatal(err)
	}
	bounds, count := full.Bounds(), map[color.Color]int{}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			count[full.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	small := image.NewPaletted(bounds, color.Palette(colours[:min(len(colours), 256)]))
	index := map[color.Color]uint8{}
	for _, c := range colours {
		index[c] = uint8(small.Palette.Index(c))
	}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			small.SetColorIndex(x, y, index[full.At(x, y)])
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		s.Fatal(err)
	}
	return out.Bytes()
}
