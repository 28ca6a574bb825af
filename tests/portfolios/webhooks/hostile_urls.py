"""URLs that must not make this service connect to anything that is not public."""

from __future__ import annotations

#: Refused by their form alone: nothing is resolved, nothing is connected to.
MALFORMED = [
    # other schemes, and none
    "http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL", "javascript:alert(1)", "//hooks.example.com/",
    "hooks.example.com", "https:hooks.example.com", "https:/hooks.example.com", "", " ",
    # ports
    "https://hooks.example.com:80/", "https://hooks.example.com:8443/",
    "https://hooks.example.com:0443/", "https://hooks.example.com:99999/",
    "https://hooks.example.com:/", "https://hooks.example.com:-1/", "https://hooks.example.com:22",
    # user info and fragments, and what looks like them
    "https://user@hooks.example.com/", "https://user:password@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/", "https://127.0.0.1#@hooks.example.com/",
    "https://hooks.example.com#fragment", "https://hooks.example.com\\@127.0.0.1/",
    "https://127.0.0.1\\@hooks.example.com/", "https:\\\\127.0.0.1/",
    # IPv4 in every spelling
    "https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://2130706433/",
    "https://0x7f000001/", "https://0x7f.0x0.0x0.0x1/", "https://0177.0.0.1/",
    "https://017700000001/", "https://127.0.0.1./", "https://0/", "https://0.0.0.0/",
    "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/",
    "https://169.254.169.254/latest/meta-data/", "https://0xa9fea9fe/", "https://2852039166/",
    "https://0251.0376.0251.0376/", "https://100.64.0.1/", "https://255.255.255.255/",
    "https://224.0.0.1/", "https://192.0.2.1/", "https://8.8.8.8/", "https://1.1.1.1/",
    "https://127.0.0.0x1/", "https://127.00000.0.1/", "https://4294967297/",
    # IPv6
    "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
    "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fd00::1]/",
    "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2606:4700::1111]/",
    "https://::1/", "https://[::1", "https://[0:0:0:0:0:0:0:1]:443/",
    # names that are none in full
    "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://intranet/",
    "https://hooks.example.com./", "https://hooks..example.com/", "https://.example.com/",
    "https://-hooks.example.com/", "https://hooks-.example.com/", "https://hooks_.example.com/",
    "https://" + "a" * 64 + ".example.com/", "https://" + "a." * 127 + "example.com/",
    "https://hooks.example.123/", "https:///", "https://?", "https://%31%32%37.0.0.1/",
    "https://hooks.example.com%00.evil.example/", "https://hooks%2eexample%2ecom/",
    # other scripts and invisible characters
    "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://\uff11\uff12\uff17.0.0.1/", "https://ⓛocalhost/",
    "https://bücher.example/", "https://hooks\u200b.example.com/", "https://\u200bhooks.example.com/",
    "https://hooks.example.com\u00ad/", "https://hooks.exam\u0440le.com/", "https://hooks\u3002example.com/",
    "https://hooks.example.com\u2044@127.0.0.1/", "\ufeffhttps://hooks.example.com/",
    # control characters and spaces
    "https://hooks.example.com/\r\nHost: 127.0.0.1", "https://hooks.example.com\t/",
    " https://hooks.example.com/", "https://hooks.example.com /", "https://hooks.example.com/a b",
    "https://hooks.example.com/\x00", "https://hooks.example.com\n", "https://127.0.0.1\n.example.com/",
    "https://hooks.example.com/%zz", "https://hooks.example.com/" + "a" * 2_000,
]  # fmt: skip

#: Answers of a name server, one of which is not public.
NOT_PUBLIC = [
    ["0.0.0.0"],  # noqa: S104 - nothing is bound to it
    ["127.0.0.1"], ["127.255.255.254"], ["0.1.2.3"], ["10.1.2.3"], ["172.16.0.1"],
    ["172.31.255.255"], ["192.168.0.1"], ["169.254.169.254"], ["100.64.0.1"], ["100.100.100.200"],
    ["192.0.0.1"], ["192.0.0.192"], ["192.0.2.7"], ["198.18.0.1"], ["198.51.100.7"],
    ["203.0.113.7"], ["224.0.0.1"], ["239.255.255.250"], ["240.0.0.1"], ["255.255.255.255"],
    ["168.63.129.16"], ["192.88.99.1"],
    ["::"], ["::1"], ["fe80::1"], ["fe80::1%lo"], ["fc00::1"], ["fd00:ec2::254"], ["fec0::1"],
    ["ff02::1"], ["100::1"], ["2001:db8::1"], ["2001::1"], ["2001:10::1"], ["3fff::1"],
    ["5f00::1"], ["::127.0.0.1"], ["::ffff:127.0.0.1"], ["::ffff:169.254.169.254"],
    ["::ffff:10.0.0.1"], ["64:ff9b::7f00:1"], ["64:ff9b::a9fe:a9fe"], ["64:ff9b:1::7f00:1"],
    ["2002:7f00:1::"], ["2002:a9fe:a9fe::1"], ["2002:c0a8:101::1"],
    ["2001:0:7f00:1::"], ["2001:0:808:808::80ff:fffe"],  # Teredo: server, then the client behind
    ["2606:4700::5efe:7f00:1"], ["2606:4700::200:5efe:a00:1"],
    ["93.184.215.14", "127.0.0.1"], ["2606:4700::1111", "::1"], ["93.184.215.14", "10.0.0.1"],
    ["8.8.8.8", "1.1.1.1", "169.254.169.254"], [],
]  # fmt: skip

#: Nobody's in particular: these are called.
PUBLIC = [
    ["93.184.215.14"], ["8.8.8.8", "8.8.4.4"], ["2606:4700:4700::1111"],
    ["2a00:1450:4001:81b::200e"],
    ["::ffff:8.8.8.8"], ["64:ff9b::808:808"], ["2002:808:808::1"],
]  # fmt: skip
