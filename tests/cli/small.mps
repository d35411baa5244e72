NAME small
ROWS
 N cost
 G least
COLUMNS
 x cost 1 least 1
 y cost 2 least 1
RHS
 R least 3
ENDATA
