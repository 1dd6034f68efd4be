"""The head-end (AMS): reads and orders many meters over real links, and answers to the MDUS.

Comes in: shipment files (which meters exist, where they sit, their passwords), provisioning and orders from the MDUS
over the field seam (IEC 61968-9), and whatever meters answer over DLMS/COSEM. Goes out: meter readings, events and
proven command results to the MDUS. Upstream: concentrators and meters on TCP; one-way telegrams come through
`openami.ami.collector`. Every high-water mark moves in the transaction of the message that tells of it: nothing is
lost, nothing is told twice.
"""
