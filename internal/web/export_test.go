package web

// Routes returns what the server answers, as "GET /topics/:topic".
func (s *Server) Routes() (all []string) {
	for _, r := range s.engine.Routes() {
		all = append(all, r.Method+" "+r.Path)
	}
	return all
}
