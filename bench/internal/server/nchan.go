//go:build linux

package server

import (
	"os"
	"path/filepath"
	"strings"
)

// nginxConf is one worker with Nchan, set so that nothing but its work costs:
// connections stay, no pings, no access log.
const nginxConf = `load_module {module};
user root;
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {dir}/nginx.pid;
error_log stderr error;
events { worker_connections 19000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_in_single_buffer on;
  client_body_temp_path {dir}/nginx-body;
  proxy_temp_path {dir}/nginx-proxy;
  fastcgi_temp_path {dir}/nginx-fastcgi;
  uwsgi_temp_path {dir}/nginx-uwsgi;
  scgi_temp_path {dir}/nginx-scgi;
  nchan_shared_memory_size 1G;
  {upstream}
  server {
    listen {addr} backlog=4096;
    nchan_message_buffer_length 1000;
    nchan_message_timeout 1h;
    location = /publish {
      {pass}
      nchan_publisher http;
      nchan_channel_id $arg_topic;
    }
    location = /events {
      {pass}
      nchan_subscriber eventsource;
      nchan_channel_id $arg_topic;
      nchan_eventsource_ping_interval 0;
      nchan_subscriber_first_message newest;
    }
  }
}
`

// startNchan starts nginx with Nchan, as master and one worker.
func (l *Lab) startNchan(s *Server, redis string) (err error) {
	s.Target.Publish = "/publish?topic={topic}"
	s.Target.Events = "/events?topic={topic}"
	upstream, pass := "", ""
	if redis != "" {
		upstream = "upstream shared { nchan_redis_server redis://" + redis + "; }"
		pass = "nchan_redis_pass shared;"
	}
	conf := strings.NewReplacer("{module}", l.nchan, "{dir}", l.dir, "{addr}", s.Target.Addr,
		"{upstream}", upstream, "{pass}", pass).Replace(nginxConf)
	file := filepath.Join(l.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	s.process, s.log, err = l.launch(s.Name, "nginx", "-e", "stderr", "-c", file)
	return err
}
