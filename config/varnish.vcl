# Varnish in front of viewcast: the whole /etc/varnish/default.vcl. Tried with 7.1.
# This passes the public name on: start viewcast with --allow-host and that name.
vcl 4.1;

backend viewcast {
    .host = "127.0.0.1";
    .port = "8080";
}

sub vcl_recv {
    # A stream is handed through byte by byte. Without this Varnish asks for gzip
    # for everybody, holds what it unpacks for the others back, and cuts each
    # stream after 600 s. While the gateway is away the connection closes without
    # an answer, and an EventSource comes back from that by itself.
    if (req.url ~ "/stream(\?|$)") {
        return (pipe);
    }
}

sub vcl_pipe {
    # Else what comes next on the connection would go down the pipe unseen.
    set bereq.http.Connection = "close";
}

# The parameter pipe_timeout, 60 s by default, has to stay longer than the
# heartbeat, 15 s by default.
