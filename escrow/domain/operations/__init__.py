"""What a party may have to authorise, as values: the same one whether a platform calls or a page carries it out.

A call makes one of what it was sent. Where the member authorises it, what is consented to waits with the link, and what
else carrying it out takes beside that; `of_link.operation_of` makes the same value of these. Amounts are integer fen.
"""
