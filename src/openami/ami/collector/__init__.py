"""The collector: takes telegrams of meters that only send, and keeps each before it says so.

Comes in: TCP connections of concentrators with wired M-Bus long frames of gas and water meters (`listener`), and
telegrams in any language from TCP lines, MQTT topics and folders (`intake`, one URL a source). Goes out: E5 for every
frame that is durable, an acknowledgement for every MQTT message that is, and dial readings to the MDUS, bundled
(`forwarding`). Upstream: the concentrator, or any level converter, receiver or gateway. A repeated telegram
is kept once.
"""
