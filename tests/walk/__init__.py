"""Every address of the site, found by walking the URL resolver, with requests that do something there.

Nothing here names a page: what an app adds is walked the moment it is routed.
"""
