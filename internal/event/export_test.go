package event

// DecodeDocument is DecodeMessage without the short way for plain messages.
func DecodeDocument(body []byte, d Defaults) (Message, error) { return decodeDocument(body, d) }

// DecodePlain is that way, as far as it goes.
func DecodePlain(body []byte, d Defaults) (Message, bool) { return decodePlain(body, d) }
