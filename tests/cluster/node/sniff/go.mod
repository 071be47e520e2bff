module sniff

go 1.19
