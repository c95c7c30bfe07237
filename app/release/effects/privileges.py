"""Privileges of an access control list (ACL), one by one."""


def privileges(acl: str) -> str:
    """SQL for a list of single privileges: "16384 SELECT", and "16384 SELECT *" besides when the role may pass it on.

    An item of the list (aclitem) holds all privileges of a role, so it is another item when the role gets one more.

    Args:
        acl: SQL of type aclitem[]; NULL: no privilege.
    """
    return (
        "to_jsonb(ARRAY(SELECT DISTINCT g.grantee || ' ' || g.privilege_type || mark"  # noqa: S608 - of constants
        f" FROM aclexplode({acl}) g, unnest(ARRAY['', ' *']) mark WHERE mark = '' OR g.is_grantable ORDER BY 1))"
    )
