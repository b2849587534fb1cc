package series

type season struct{}
