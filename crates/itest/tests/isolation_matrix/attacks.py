"""Frames of a hostile machine, sent as its root could send them, and who gets to see them.

Runs on the host of the test. A packet socket is made in the network namespace of the attacker to send, and one at each
place where nothing may arrive. Every frame carries the name of its attack, so that it is known wherever it comes up. After
each attack a frame that is allowed goes the same ways: when it is seen, what was sent before it is seen or gone.
"""

import json, os, select, socket, struct, subprocess, sys, time

W = json.load(open(sys.argv[1]))
ETH_P_ALL = 3


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return socket.inet_pton(family, text)


def slaac(prefix, address):
    m = bytearray(mac(address))
    m[0] ^= 2
    host = bytes(m[:3]) + b"\xff\xfe" + bytes(m[3:])
    return socket.inet_ntop(socket.AF_INET6, ip(prefix)[:8] + host)


EVIL, NEAR, BETA, OWN = mac(W["evil_mac"]), mac(W["near_mac"]), mac(W["beta_mac"]), mac(W["bridge_mac"])
EVIL6, BETA6 = slaac(W["alpha6"], W["evil_mac"]), slaac(W["beta6"], W["beta_mac"])
EVIL_LL, BETA_LL = slaac("fe80::", W["evil_mac"]), slaac("fe80::", W["beta_mac"])
HOST_LL, NEAR6 = slaac("fe80::", W["bridge_mac"]), slaac(W["alpha6"], W["near_mac"])
GW6, BETA_GW6 = W["alpha6"] + "1", W["beta6"] + "1"
ALL = b"\xff" * 6


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def eth(to, payload, kind, source=EVIL, tags=()):
    head = to + source
    for tag in tags:
        head += struct.pack("!HH", *tag)
    return head + struct.pack("!H", kind) + payload


def ipv4(src, dst, proto, body, options=b"", frag=0, ident=7):
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, words * 4 + len(body), ident, frag, 64, proto, 0, ip(src), ip(dst))
    head += options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def ipv6(src, dst, proto, body, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(body), proto, hops) + ip(src) + ip(dst) + body


def pseudo(src, dst, proto, body):
    return ip(src) + ip(dst) + (struct.pack("!BBH", 0, proto, len(body)) if "." in src else struct.pack("!II", len(body), proto))


def udp(src, dst, name, port, sport=40000):
    body = struct.pack("!HHHH", sport, port, 8 + len(name), 0) + name
    return body[:6] + struct.pack("!H", checksum(pseudo(src, dst, 17, body) + body) or 0xFFFF) + body[8:]


def tcp(src, dst, name, port):
    body = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 1024, 0, 0) + name
    return body[:16] + struct.pack("!H", checksum(pseudo(src, dst, 6, body) + body)) + body[18:]


def icmp6(src, dst, kind, body):
    body = struct.pack("!BBH", kind, 0, 0) + body
    return body[:2] + struct.pack("!H", checksum(pseudo(src, dst, 58, body) + body)) + body[4:]


def send4(dst, name, port=5555, src=W["evil"], to=OWN, **more):
    return eth(to, ipv4(src, dst, 17, udp(src, dst, name, port)), 0x0800, **more)


def send6(dst, name, port=5555, src=EVIL6, to=OWN):
    return eth(to, ipv6(src, dst, 17, udp(src, dst, name, port)), 0x86DD)


def raw4(dst, proto, body, to=OWN, **more):
    return eth(to, ipv4(W["evil"], dst, proto, body, **more), 0x0800)


def arp(claimed, target, name, to=ALL):
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + EVIL + ip(claimed) + ALL + ip(target)
    return eth(to, body + name, 0x0806)


def advert(claimed, name, to, dst):
    body = struct.pack("!I", 0x20000000) + ip(claimed) + b"\x02\x01" + EVIL
    return eth(to, ipv6(EVIL_LL, dst, 58, icmp6(EVIL_LL, dst, 136, body), hops=255) + name, 0x86DD)


def router(name):
    body = struct.pack("!BBHII", 64, 0, 1800, 0, 0) + b"\x01\x01" + EVIL
    return eth(mac("33:33:00:00:00:01"), ipv6(EVIL_LL, "ff02::1", 58, icmp6(EVIL_LL, "ff02::1", 134, body), hops=255) + name, 0x86DD)


def fragments4(dst, name):
    body = udp(W["evil"], dst, name + b"-" * 24, 5555)
    cut = 24
    return [raw4(dst, 17, body[:cut], frag=0x2000), raw4(dst, 17, body[cut:] + name, frag=cut // 8)]


def fragments6(dst, name):
    body = udp(EVIL6, dst, name + b"-" * 24, 5555)
    cut = 24
    part = lambda piece, at, more: eth(OWN, ipv6(EVIL6, dst, 44, struct.pack("!BBHI", 17, 0, at | more, 9) + piece), 0x86DD)
    return [part(body[:cut], 0, 1), part(body[cut:] + name, cut, 0)]


def loose_route(dst, name):
    body = udp(W["evil"], dst, name, 5555)
    option = b"\x01\x83\x07\x04" + ip(dst)
    return raw4(W["gateway"], 17, body, options=option)


def routing_header(dst, name):
    body = udp(EVIL6, dst, name, 5555)
    header = struct.pack("!BBBBI", 17, 2, 0, 1, 0) + ip(dst)
    return eth(OWN, ipv6(EVIL6, GW6, 43, header + body), 0x86DD)


def inner(dst, name):
    return ipv4(W["evil"], dst, 17, udp(W["evil"], dst, name, 5555))


# Where a packet for each of the three shall go: addresses by IPv4 and by IPv6.
TARGETS = {
    "beta": ([W["beta"]], [BETA6]),
    "host": ([W["gateway"], W["beta_gateway"], W["uplink"]], [GW6, BETA_GW6]),
    "outside": (["198.18.0.1"], ["fd99::1"]),
}


def each(four=None, six=None):
    """One frame, or several, for each address of each target."""
    def frames(target, name):
        fours, sixes = TARGETS[target]
        made = [four(dst, name) for dst in fours] if four else []
        return made + ([six(dst, name) for dst in sixes] if six else [])
    return {target: (lambda name, target=target: frames(target, name)) for target in TARGETS}


def only(*targets, frames):
    return {target: frames for target in targets}


VX = struct.pack("!II", 0x08000000, 1 << 8)
ATTACKS = {
    "IPv4": each(four=send4),
    "IPv6": each(six=send6),
    "IPv4 to its MAC address": only("beta", frames=lambda n: [send4(W["beta"], n, to=BETA)]),
    "link-local": only("beta", "host", frames=lambda n: [send6(BETA_LL, n, src=EVIL_LL, to=BETA), send6(HOST_LL, n, src=EVIL_LL)]),
    "multicast": only("beta", "host", "outside", frames=lambda n: [
        send4("224.0.0.251", n, 5353, to=mac("01:00:5e:00:00:fb")), send6("ff02::fb", n, 5353, src=EVIL_LL, to=mac("33:33:00:00:00:fb")),
        send6("ff02::1", n, src=EVIL_LL, to=mac("33:33:00:00:00:01"))]),
    "broadcast": only("beta", "host", "outside", frames=lambda n: [
        send4("255.255.255.255", n, to=ALL), send4(W["alpha_broadcast"], n, to=ALL), send4(W["beta_broadcast"], n, to=ALL)]),
    "ARP spoofing": only("near", "beta", "host", frames=lambda n: [
        arp(W["gateway"], W["near"], n), arp(W["near"], W["gateway"], n, to=OWN), arp(W["beta"], W["gateway"], n)]),
    "ND spoofing": only("near", "beta", "host", frames=lambda n: [
        advert(GW6, n, mac("33:33:00:00:00:01"), "ff02::1"), advert(NEAR6, n, OWN, GW6), advert(BETA6, n, OWN, GW6)]),
    "DHCP server": only("near", "beta", "host", frames=lambda n: [
        eth(ALL, ipv4(W["evil"], "255.255.255.255", 17, udp(W["evil"], "255.255.255.255", n, 68, 67)), 0x0800),
        eth(NEAR, ipv6(EVIL_LL, "ff02::1:2", 17, udp(EVIL_LL, "ff02::1:2", n, 546, 547)), 0x86DD)]),
    "router advertisement": only("near", "beta", "host", frames=lambda n: [router(n)]),
    "MAC address of others": only("near", "beta", "host", "outside", frames=lambda n: [
        send4(dst, n, source=who) for dst in (W["near"], W["beta"], W["gateway"], "198.18.0.1") for who in (BETA, NEAR, OWN)]),
    "address of others": only("near", "beta", "host", "outside", frames=lambda n: [
        send4(dst, n, src=who, to=to) for dst, to in ((W["near"], NEAR), (W["beta"], OWN), (W["gateway"], OWN), ("198.18.0.1", OWN))
        for who in (W["near"], W["beta"], W["gateway"], "198.18.0.1", "127.0.0.1")]),
    "VLAN tag": only("near", "beta", "host", "outside", frames=lambda n: [
        send4(dst, n, to=to, tags=[(kind, 1)]) for dst, to in ((W["near"], NEAR), (W["beta"], BETA), (W["gateway"], OWN), ("198.18.0.1", OWN))
        for kind in (0x8100, 0x88A8)]),
    "double VLAN tag": only("near", "beta", "host", "outside", frames=lambda n: [
        send4(dst, n, to=to, tags=[(outer, 1), (0x8100, 100)]) for dst, to in ((W["near"], NEAR), (W["beta"], BETA), (W["gateway"], OWN), ("198.18.0.1", OWN))
        for outer in (0x8100, 0x88A8)]),
    "source routing": each(four=loose_route, six=routing_header),
    "fragments": {t: (lambda n, t=t: sum((fragments4(a, n) for a in TARGETS[t][0]), []) + sum((fragments6(a, n) for a in TARGETS[t][1]), [])) for t in TARGETS},
    "GRE": each(four=lambda d, n: raw4(d, 47, struct.pack("!HH", 0, 0x0800) + inner(W["beta"], n))),
    "IPIP and 6in4": each(four=lambda d, n: raw4(d, 4, inner(W["beta"], n)), six=lambda d, n: eth(OWN, ipv6(EVIL6, d, 4, inner(W["beta"], n)), 0x86DD)),
    "VXLAN": each(four=lambda d, n: send4(d, VX + eth(BETA, inner(W["beta"], n), 0x0800) + n, 4789)),
    "raw protocol": each(four=lambda d, n: raw4(d, 253, n), six=lambda d, n: eth(OWN, ipv6(EVIL6, d, 253, n), 0x86DD)),
    "name server": only("host", frames=lambda n: [send4(a, n, 53) for a in (W["gateway"], W["uplink"], "127.0.0.53")]
        + [raw4(W["gateway"], 6, tcp(W["evil"], W["gateway"], n, 53)), send6(GW6, n, 53)]),
    "169.254.169.254": only("host", "outside", frames=lambda n: [send4("169.254.169.254", n, 80), raw4("169.254.169.254", 6, tcp(W["evil"], "169.254.169.254", n, 80))]),
    "published ports of others": only("beta", "host", frames=lambda n: [f for a in TARGETS["host"][0] for f in
        (send4(a, n, 8080), raw4(a, 6, tcp(W["evil"], a, n, 8080)))] + [send6(a, n, 8080) for a in TARGETS["host"][1]]),
}


# Into a segment of another tenant, with its number and its machine's address: by each address of the host, and as if it came
# from the segment's other end.
if "wide" in W:
    SEGMENT = struct.pack("!II", 0x08000000, W["vni"] << 8)
    carried = lambda n: SEGMENT + eth(mac(W["wide_mac"]), inner(W["wide"], n), 0x0800)
    ATTACKS["VXLAN into a segment"] = only("beta", "host", frames=lambda n: [
        send4(a, carried(n), 4789, src=who) for a in TARGETS["host"][0] + TARGETS["beta"][0] for who in (W["evil"], W["remote"])])

# From a machine that is in a VLAN itself, into the other ones of the trunk.
LAN_ATTACKS = {}
if "lan" in W:
    LAN, OTHER = W["lan"], W["lan"]["others"]
    lan = lambda n, tags, to: eth(mac(to), ipv4(LAN["address"], OTHER["address"], 17, udp(LAN["address"], OTHER["address"], n, 5555)),
        0x0800, source=mac(LAN["mac"]), tags=tags)
    tagged = lambda stacks: only("near", "beta", "host", "outside", frames=lambda n: [
        lan(n, tags, to) for tags in stacks for to in (OTHER["mac"], "ff:ff:ff:ff:ff:ff")])
    LAN_ATTACKS = {
        "VLAN tag, within a VLAN": tagged([[(kind, vid)] for kind in (0x8100, 0x88A8) for vid in (0, LAN["id"], OTHER["id"])]),
        "double VLAN tag, within a VLAN": tagged([
            [(outer, vid), (0x8100, OTHER["id"])] for outer in (0x8100, 0x88A8) for vid in (0, 1, LAN["id"], OTHER["id"])]),
    }


def tap(space=None, link=None):
    """A packet socket that sees everything of a link, or of a whole network namespace."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    if space:
        os.setns(os.open(space, os.O_RDONLY), os.CLONE_NEWNET)
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    if link:
        one.bind((link, ETH_P_ALL))
    os.setns(here, os.CLONE_NEWNET)
    return one


plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


class Front:
    """Where attacks begin, and the places where nothing of them may arrive."""

    def __init__(self):
        self.sender = tap(W["evil_space"], W["evil_link"])
        self.taps = {"sent": tap(link=W["evil_host_link"]), "near": tap(W["near_space"]), "beta": tap(W["beta_space"]), "outside": tap(link=W["up"])}

    def allow(self, name):
        """Something that is allowed, on each way."""
        self.sender.send(send4(W["near"], name, to=NEAR))
        for address in (W["beta"], "198.18.0.1"):
            plain.sendto(name, (address, 5555))


class Trunk:
    """The same in a VLAN of a trunk; outside is another VLAN, in which the other tenant is."""

    def __init__(self):
        self.sender = tap(W["evil_space"], LAN["link"])
        self.other = tap(W["beta_space"], OTHER["link"])
        self.taps = {"sent": tap(link=LAN["host_link"]), "near": tap(W["near_space"]), "beta": tap(W["beta_space"]), "outside": tap(OTHER["space"])}

    def allow(self, name):
        """To all of the VLAN, and to all of the other one by a machine that is there."""
        for sender, own in ((self.sender, LAN), (self.other, OTHER)):
            sender.send(eth(ALL, ipv4(own["address"], "255.255.255.255", 17, udp(own["address"], "255.255.255.255", name, 5555)), 0x0800, source=mac(own["mac"])))


def counted():
    listing = json.loads(subprocess.check_output(["nft", "-j", "list", "table", "inet", "probe"]))
    rules = [one["rule"] for one in listing["nftables"] if "rule" in one]
    return sum(part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part)


def fooled():
    """Whether the host believes that the attacker has an address that it has not."""
    neighbours = json.loads(subprocess.check_output(["ip", "-j", "neigh", "show"]) or "[]")
    own = {W["evil"], EVIL6, EVIL_LL}
    return any(one.get("lladdr") == W["evil_mac"] and one["dst"] not in own for one in neighbours)


number = 0


def seen(front, attacks):
    """What each place got of each attack."""
    global number
    result = {}
    for attack, targets in attacks.items():
        result[attack] = {}
        for target, frames in targets.items():
            number += 1
            name, allowed = b"attack%04d" % number, b"allowed%04d" % number
            before = counted()
            made = frames(name)
            for frame in made:
                front.sender.send(frame)
            front.allow(allowed)
            got = {}
            for place, one in front.taps.items():
                count, end = 0, time.monotonic() + 20
                while select.select([one], [], [], max(0, end - time.monotonic()))[0]:
                    frame = one.recv(4096)
                    count += name in frame
                    if allowed in frame:
                        break
                else:
                    sys.exit(f"{attack} to {target}: what is allowed did not come to {place}")
                got[place] = count
            arrived = {
                "host": counted() - before > 0 or fooled(),
                **{place: got[place] > 0 for place in ("near", "beta", "outside")},
            }
            result[attack][target] = {"frames": len(made), "sent": got["sent"], "arrived": arrived[target],
                "elsewhere": sorted(place for place, there in arrived.items() if there and place not in (target, "near"))}
    return result


result = seen(Front(), ATTACKS)
if LAN_ATTACKS:
    result.update(seen(Trunk(), LAN_ATTACKS))
json.dump(result, sys.stdout)
