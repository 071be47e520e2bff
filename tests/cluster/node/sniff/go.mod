module sniff

go 1.21
