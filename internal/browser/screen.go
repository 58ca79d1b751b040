package browser

import "github.com/chromedp/cdproto/emulation"

// Screen is what a tab's page believes to be shown on.
type Screen struct {
	Width, Height int64   // in CSS pixels
	Scale         float64 // pixels of a picture to a CSS pixel
	Mobile        bool
	Dark          bool // the reader's system prefers dark pages
}

// Show shows the page on that screen.
func (tab *Tab) Show(s Screen) {
	tab.t.Helper()
	Call(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: s.Width, Height: s.Height, DeviceScaleFactor: s.Scale, Mobile: s.Mobile})
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}
