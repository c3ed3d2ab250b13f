"""The records as a folder of pages that opens from disk, with no network and no server.

========== =====================================================================================================
module     what it does
========== =====================================================================================================
write      which pages there are
folder     made beside, then put in place of an earlier site; nothing of the user's is touched
*_board    tables as leaderboards; ``static/board.js`` shows them with DataTables
*_view     what a page shows, as text; ``templates`` lay it out
assets     style, scripts, and the libraries that installed packages bring
========== =====================================================================================================
"""
