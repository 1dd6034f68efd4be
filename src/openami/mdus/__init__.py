"""The middle: unites many head-ends behind one interface, validates, keeps every version, carries orders down."""
