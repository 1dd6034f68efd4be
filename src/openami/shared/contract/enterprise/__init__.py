"""The enterprise seam as values: what MDUS and back office (SAP or ours) say to one another.

In comes the body of an HTTP request, out goes a frozen value, and back; nothing here opens a socket or a database. The
truth are the schema files in `schemas/` (those in `schemas/inferred/` wait for the real ones, see `overlay`);
`messages/` is generated from them, `catalogue` lists the operations, `codec` turns bytes into messages, `headers`,
`logs`, `confirm` and `fault` build answers, `intervals` takes interval uploads as columns, `wsdl` and `export` publish
the contract, `codes` holds its code lists. Both `mdus` and `office` use it; nothing is upstream but the schemas.

    from openami.shared.contract.enterprise import codec, confirm, headers, logs
    from openami.shared.contract.enterprise.messages import device

    message = codec.decode(body)                            # raises errors.Refusal: NotReadable, InvalidMessage, ...
    if isinstance(message, device.UtilitiesDeviceERPSmartMeterCreateRequest):
        device_id = message.utilities_device.id             # attributes are the exact XML names in snake case
    no = confirm.refusal_for(body, refused, created=clock.now())  # of an invalid message: confirmation, or None: fault
    key = headers.message_key(message.message_header)       # to recognise a repetition
    answer = confirm.confirmation_for(message, logs.success(), created=clock.now())
    refusal = confirm.confirmation_for(message, logs.failed("device unknown"), created=clock.now())
    many = confirm.bulk([first, second], headers.header(clock.now(), sender="MDUS"))
    codec.operation_of(answer).name                         # "UtilitiesDeviceERPSmartMeterCreateConfirmation_In"
    body = codec.encode(answer)                             # SOAP 1.1 envelope, validated

Of a bulk message the items are `message.items`; what a sender added that the schema does not know is in
`message.extras`. Base classes in `model` tell messages apart: HeadedMessage, Confirmation, Bulk, BulkConfirmation,
Response.
"""
