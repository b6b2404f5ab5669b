-- What lighttpd says to streams while the gateway is away; lighttpd.conf says why.
local answer = lighty.r
answer.resp_header["Content-Type"] = "text/event-stream"
answer.resp_header["Cache-Control"] = "no-store"
answer.resp_header["Access-Control-Allow-Origin"] = "*"
answer.resp_body.set("retry: 5000\n\n")
return 200
