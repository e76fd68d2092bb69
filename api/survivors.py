"""Where a customer is read from who may have been merged: the survivor answers."""


def survivor(of: str) -> str:
    """A FROM clause with its WHERE over `{t}`: the surviving customer of an id, an SQL expression."""
    return (
        "customers {t} where {t}.tenant_id = $1 and {t}.id = (select m.root_id from customers m"
        f" where m.tenant_id = $1 and m.id = {of})"
    )
