"""The registry: which device, register, point of delivery, profile and AMS belong together, and since when.

In: master data of the back office, as decisions of `mdus/services` (announce, change, registers, locations, points of
delivery, profiles), and the word of an AMS that it has found a device. Out: devices and profiles with their time
slices (`store`), and the channels that `mdus/unify` matches deliveries against. A meter swap is a fact here, never
guessed from a falling number. Upstream: `mdus/services`, `mdus/flow`. Downstream: everyone in the middle.
"""
