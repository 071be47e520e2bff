module pipy
go 1.21
